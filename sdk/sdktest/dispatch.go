package sdktest

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
)

// limits are those of the parameters, in bytes, of the functions that are given text
// from outside.
var limits = map[abi.Function][]int{
	abi.FsExists: {abi.MaxPath}, abi.FsMkdir: {abi.MaxPath}, abi.FsReaddir: {abi.MaxPath}, abi.FsStat: {abi.MaxPath},
	abi.FsUnlink: {abi.MaxPath}, abi.ReadFile: {abi.MaxPath}, abi.WriteFile: {abi.MaxPath, abi.MaxValue},
	abi.IpcPublish: {abi.MaxTopic, abi.MaxPublish}, abi.IpcSubscribe: {abi.MaxTopic},
	abi.KvGet: {abi.MaxKey}, abi.KvSet: {abi.MaxKey, abi.MaxValue}, abi.KvDelete: {abi.MaxKey},
	abi.KvListKeys: {abi.MaxKey}, abi.KvClearPrefix: {abi.MaxKey}, abi.GetConfig: {abi.MaxKey},
	abi.Log: {abi.MaxLogLevel, abi.MaxLogMessage}, abi.TriggerHook: {abi.MaxHookRequest},
	abi.UplinkSend: {abi.MaxUplinkID, abi.MaxUplinkField, abi.MaxUplinkContent},
	abi.NetWrite:   {abi.MaxStreamHandle, abi.MaxValue}, abi.HTTPRequestFn: {abi.MaxValue}, abi.HTTPStreamStart: {abi.MaxValue},
}

// HostCall answers a host call; package sdk calls it.
func (h *Host) HostCall(fn abi.Function, params ...string) ([]byte, error) {
	for i, limit := range limits[fn] {
		if len(params[i]) > limit {
			return nil, abi.Errorf(abi.CodeTooLarge, "%s: parameter %d is %d bytes, the limit is %d", fn, i+1, len(params[i]), limit)
		}
	}
	// Parameters may alias bytes of the caller, which it is free to change afterwards.
	p := make([]string, len(params))
	for i, s := range params {
		p[i] = strings.Clone(s)
	}
	if custom, ok := h.handlers[fn]; ok {
		return custom(p)
	}
	return h.serve(fn, p)
}

func (h *Host) serve(fn abi.Function, p []string) ([]byte, error) {
	switch fn {
	case abi.FsExists, abi.FsMkdir, abi.FsReaddir, abi.FsStat, abi.FsUnlink, abi.ReadFile, abi.WriteFile:
		return h.serveFile(fn, p)
	case abi.IpcPublish:
		return nil, h.publish(p[0], []byte(p[1]))
	case abi.IpcSubscribe, abi.IpcUnsubscribe, abi.IpcPoll, abi.IpcRecv, abi.GetInterceptorHandles:
		return h.serveBus(fn, p)
	case abi.UplinkRegister, abi.UplinkSend:
		return h.serveUplink(fn, p)
	case abi.KvGet, abi.KvSet, abi.KvDelete, abi.KvListKeys, abi.KvClearPrefix:
		return h.serveKV(fn, p)
	case abi.GetConfig:
		return []byte(h.Config[p[0]]), nil
	case abi.GetCaller:
		return json.Marshal(h.Caller)
	case abi.HTTPRequestFn, abi.HTTPStreamStart, abi.HTTPStreamRead, abi.HTTPStreamClose:
		return h.serveHTTP(fn, p)
	case abi.TriggerHook:
		return h.trigger(p[0])
	case abi.Log:
		h.mu.Lock()
		defer h.mu.Unlock()
		h.logs = append(h.logs, LogLine{p[0], p[1]})
		return nil, nil
	case abi.SpawnHost, abi.SpawnBackgroundHost, abi.ReadProcessLogsHost, abi.KillProcessHost:
		return h.serveProcess(fn, p)
	case abi.NetBindUnix, abi.NetAccept, abi.NetPollAccept, abi.NetRead, abi.NetWrite, abi.NetCloseStream:
		return h.serveNet(fn, p)
	case abi.Elicit, abi.HasSecret, abi.RequestApproval, abi.CheckCapsuleCapability:
		return h.servePerson(fn, p)
	case abi.SignalReady:
		h.mu.Lock()
		defer h.mu.Unlock()
		h.ready = true
		return nil, nil
	case abi.ClockMs:
		h.mu.Lock()
		defer h.mu.Unlock()
		return strconv.AppendInt(nil, h.Now.UnixMilli(), 10), nil
	}
	return h.serveIdentity(fn, p)
}

// request decodes a JSON parameter.
func request(fn abi.Function, raw string, into any) error {
	if err := json.Unmarshal([]byte(raw), into); err != nil {
		return abi.Errorf(abi.CodeInvalid, "%s: invalid request: %v", fn, err)
	}
	return nil
}

// number decodes a handle.
func number(text string) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, abi.Errorf(abi.CodeInvalid, "handle %q is not a number", text)
	}
	return n, nil
}

var errNotScripted = errors.New("the test has not scripted this")

// unscripted refuses what only a test can answer.
func unscripted(fn abi.Function, field string) error {
	return abi.Errorf(abi.CodeDenied, "%s: %v: set %s", fn, errNotScripted, field)
}
