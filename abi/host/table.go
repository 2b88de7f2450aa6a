package host

import (
	"context"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
)

// param is one logical parameter of a host function.
type param struct {
	name string
	max  int // bytes
}

// effect performs what was decided.
type effect func(ctx context.Context, g approval.Grant) ([]byte, error)

// plan is what a call would do, before anything is done.
type plan struct {
	action approval.Action
	bounds approval.Bounds // the manifest's say on this very action; a plan without it is refused
	do     effect
	end    func() // if set, gives back what the plan needs, when the call is over
	// holds: the effect outlives the call and settles the grant itself (HTTP streams).
	holds bool
	// idle: nothing would happen, so that there is nothing to decide; the answer is empty.
	idle bool
	// refused, if set, may turn a refusal into an answer (the guest asked to be told).
	refused func(err error) ([]byte, bool)
}

// row is one host function. Exactly one of plan and plain is set. Rows of class
// guarded and message always have a plan; a plain handler touches only what belongs
// to its own capsule and instance.
type row struct {
	class  approval.Class
	kind   approval.Kind // of plain rows; plans name theirs in the action
	params []param
	plan   func(ctx context.Context, f *frame, args [][]byte) (plan, error)
	plain  func(ctx context.Context, f *frame, args [][]byte) ([]byte, error)
	slow   bool // of plain rows: its work is the guest's, but takes long
}

var (
	pPath   = param{"path", abi.MaxPath}
	pKey    = param{"key", abi.MaxKey}
	pHandle = param{"handle", abi.MaxHandle}
	pStream = param{"stream", abi.MaxStreamHandle}
	pReq    = param{"request", abi.MaxValue}

	pProcess = param{"request", abi.MaxProcessHandle}
	pRead    = param{"request", abi.MaxProcessRead}
)

func (h *Host) rows() [abi.FunctionCount]row {
	const plain, message, guarded = approval.Plain, approval.Message, approval.Guarded
	return [abi.FunctionCount]row{
		abi.FsExists:  {class: guarded, params: []param{pPath}, plan: h.planExists},
		abi.FsMkdir:   {class: guarded, params: []param{pPath}, plan: h.planMkdir},
		abi.FsReaddir: {class: guarded, params: []param{pPath}, plan: h.planReaddir},
		abi.FsStat:    {class: guarded, params: []param{pPath}, plan: h.planStat},
		abi.FsUnlink:  {class: guarded, params: []param{pPath}, plan: h.planUnlink},
		abi.ReadFile:  {class: guarded, params: []param{pPath}, plan: h.planReadFile},
		abi.WriteFile: {class: guarded, params: []param{pPath, {"content", abi.MaxValue}}, plan: h.planWriteFile},

		abi.IpcPublish:     {class: message, params: []param{{"topic", abi.MaxTopic}, {"payload", abi.MaxPublish}}, plan: h.planPublish},
		abi.IpcSubscribe:   {class: message, params: []param{{"pattern", abi.MaxTopic}}, plan: h.planSubscribe},
		abi.IpcUnsubscribe: {class: plain, kind: kindSubscription, params: []param{pHandle}, plain: h.unsubscribe},
		abi.IpcPoll:        {class: plain, kind: kindSubscription, params: []param{pHandle}, plain: h.poll},
		abi.IpcRecv:        {class: plain, kind: kindSubscription, params: []param{pHandle, {"timeout_ms", abi.MaxHandle}}, plain: h.recv},

		abi.UplinkRegister: {class: message, params: []param{{"name", abi.MaxUplinkField}, {"platform", abi.MaxUplinkField}, {"profile", abi.MaxUplinkField}}, plan: h.planUplink},
		abi.UplinkSend:     {class: message, params: []param{{"uplink_id", abi.MaxUplinkID}, {"platform_user_id", abi.MaxUplinkField}, {"content", abi.MaxUplinkContent}}, plan: h.planUplinkSend},

		abi.KvGet:         {class: plain, kind: kindKV, params: []param{pKey}, plain: h.kvGet},
		abi.KvSet:         {class: plain, kind: kindKV, params: []param{pKey, {"value", abi.MaxValue}}, plain: h.kvSet},
		abi.KvDelete:      {class: plain, kind: kindKV, params: []param{pKey}, plain: h.kvDelete},
		abi.KvListKeys:    {class: plain, kind: kindKV, params: []param{{"prefix", abi.MaxKey}}, plain: h.kvList},
		abi.KvClearPrefix: {class: plain, kind: kindKV, params: []param{{"prefix", abi.MaxKey}}, plain: h.kvClear},

		abi.GetConfig:     {class: plain, kind: kindSelf, params: []param{pKey}, plain: h.getConfig},
		abi.GetCaller:     {class: plain, kind: kindSelf, plain: h.getCaller},
		abi.HTTPRequestFn: {class: guarded, params: []param{pReq}, plan: h.planHTTP},
		abi.TriggerHook:   {class: message, params: []param{{"request", abi.MaxHookRequest}}, plan: h.planHook},
		abi.Log:           {class: plain, kind: kindSelf, params: []param{{"level", abi.MaxLogLevel}, {"message", abi.MaxLogMessage}}, plain: h.log, slow: true},
		abi.SpawnHost:     {class: guarded, params: []param{pReq}, plan: h.planSpawn},

		abi.NetBindUnix: {class: guarded, params: []param{pPath}, plan: h.planBind},
		abi.NetAccept:   {class: guarded, params: []param{pStream}, plan: h.planAccept},
		abi.NetRead:     {class: plain, kind: kindStream, params: []param{pStream}, plain: h.netRead},
		abi.NetWrite:    {class: plain, kind: kindStream, params: []param{pStream, {"data", abi.MaxValue}}, plain: h.netWrite},

		abi.Elicit:                {class: guarded, params: []param{pReq}, plan: h.planElicit},
		abi.HasSecret:             {class: plain, kind: kindKV, params: []param{{"request", abi.MaxKey}}, plain: h.hasSecret},
		abi.SignalReady:           {class: plain, kind: kindSelf, plain: h.signalReady},
		abi.ClockMs:               {class: plain, kind: kindSelf, plain: h.clockMs},
		abi.GetInterceptorHandles: {class: plain, kind: kindSelf, plain: h.interceptorHandles},
		abi.RequestApproval:       {class: guarded, params: []param{pReq}, plan: h.planApproval},

		abi.IdentityResolve:    {class: guarded, params: []param{pReq}, plan: h.planResolve},
		abi.IdentityLink:       {class: guarded, params: []param{pReq}, plan: h.planLinkAccount},
		abi.IdentityUnlink:     {class: guarded, params: []param{pReq}, plan: h.planUnlinkAccount},
		abi.IdentityCreateUser: {class: guarded, params: []param{pReq}, plan: h.planCreateUser},
		abi.IdentityListLinks:  {class: guarded, params: []param{pReq}, plan: h.planListLinks},

		abi.CheckCapsuleCapability: {class: plain, kind: kindSelf, params: []param{{"request", abi.MaxCapabilityCheck}}, plain: h.checkCapability},

		abi.SpawnBackgroundHost: {class: guarded, params: []param{pReq}, plan: h.planSpawnBackground},
		abi.ReadProcessLogsHost: {class: plain, kind: kindProcess, params: []param{pRead}, plain: h.processLogs},
		abi.KillProcessHost:     {class: plain, kind: kindProcess, params: []param{pProcess}, plain: h.processKill},
		abi.NetCloseStream:      {class: plain, kind: kindStream, params: []param{pStream}, plain: h.netClose},
		abi.NetPollAccept:       {class: guarded, params: []param{pStream}, plan: h.planPollAccept},

		abi.HTTPStreamStart: {class: guarded, params: []param{pReq}, plan: h.planHTTPStream},
		abi.HTTPStreamRead:  {class: plain, kind: kindStream, params: []param{pStream}, plain: h.streamRead},
		abi.HTTPStreamClose: {class: plain, kind: kindStream, params: []param{pStream}, plain: h.streamClose},
	}
}

// Kinds of plain rows: they name no resource outside the calling instance.
const (
	kindSubscription approval.Kind = "subscription"
	kindKV           approval.Kind = "kv"
	kindSelf         approval.Kind = "self"
	kindStream       approval.Kind = "stream"
)

// waits tells whether calls of the row can take time that is not the guest's.
func (r *row) waits() bool { return r.class != approval.Plain || r.kind != kindSelf }

// works tells whether calls of the row can take long at all.
func (r *row) works() bool { return r.slow || r.waits() }
