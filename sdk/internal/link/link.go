package link

import (
	"unsafe"

	"github.com/unicity-astrid/astrid-go/abi"
)

// Host answers host calls. Parameters are strings whatever they mean: they may alias
// the caller's bytes, so an implementation copies what it keeps. A failed call returns
// an *[abi.Error].
type Host interface {
	HostCall(fn abi.Function, params ...string) ([]byte, error)
}

// arity is the number of logical parameters of each host function.
var arity = [abi.FunctionCount]uint8{
	abi.FsExists: 1, abi.FsMkdir: 1, abi.FsReaddir: 1, abi.FsStat: 1, abi.FsUnlink: 1, abi.ReadFile: 1, abi.WriteFile: 2,
	abi.IpcPublish: 2, abi.IpcSubscribe: 1, abi.IpcUnsubscribe: 1, abi.IpcPoll: 1, abi.IpcRecv: 2,
	abi.UplinkRegister: 3, abi.UplinkSend: 3,
	abi.KvGet: 1, abi.KvSet: 2, abi.KvDelete: 1, abi.KvListKeys: 1, abi.KvClearPrefix: 1,
	abi.GetConfig: 1, abi.GetCaller: 0, abi.HTTPRequestFn: 1, abi.TriggerHook: 1, abi.Log: 2, abi.SpawnHost: 1,
	abi.NetBindUnix: 1, abi.NetAccept: 1, abi.NetRead: 1, abi.NetWrite: 2,
	abi.Elicit: 1, abi.HasSecret: 1, abi.SignalReady: 0, abi.ClockMs: 0, abi.GetInterceptorHandles: 0, abi.RequestApproval: 1,
	abi.IdentityResolve: 1, abi.IdentityLink: 1, abi.IdentityUnlink: 1, abi.IdentityCreateUser: 1, abi.IdentityListLinks: 1,
	abi.CheckCapsuleCapability: 1, abi.SpawnBackgroundHost: 1, abi.ReadProcessLogsHost: 1, abi.KillProcessHost: 1,
	abi.NetCloseStream: 1, abi.NetPollAccept: 1, abi.HTTPStreamStart: 1, abi.HTTPStreamRead: 1, abi.HTTPStreamClose: 1,
}

// Arity returns the number of logical parameters of fn, or -1 if there is no such function.
func Arity(fn abi.Function) int {
	if fn >= abi.FunctionCount {
		return -1
	}
	return int(arity[fn])
}

// Call runs one host function and returns its result, which the caller owns.
// A failed call returns an *[abi.Error].
func Call(fn abi.Function, params ...string) ([]byte, error) {
	if n := Arity(fn); n != len(params) {
		return nil, abi.Errorf(abi.CodeInvalid, "%s takes %d parameters, got %d", fn, n, len(params))
	}
	return call(fn, params)
}

// Text views b as a string without copying it. It is for parameters: b must not
// change while the call runs.
func Text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
