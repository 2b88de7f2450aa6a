package host

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
)

// description says what a row does not: what it answers, as which resource the gate decides about it, and the codes it can
// fail with beside those that every function can.
type description struct {
	answer   string
	resource string // "" for what touches only the capsule's own state
	fails    []abi.Code
}

// everyFails are the codes of every function: a malformed or oversized parameter, policy, the end of the call, a defect.
var everyFails = []abi.Code{abi.CodeInvalid, abi.CodeTooLarge, abi.CodeDenied, abi.CodeCanceled, abi.CodeTimeout, abi.CodeInternal}

// guardedFails are those of what passes all five layers.
var guardedFails = []abi.Code{abi.CodeBudget, abi.CodeDeferred, abi.CodeAudit}

func fails(c ...abi.Code) []abi.Code { return c }

var descriptions = [abi.FunctionCount]description{
	abi.FsExists:  {`"true" or nothing`, "fs:read://PATH", fails(abi.CodeIO)},
	abi.FsMkdir:   {"nothing", "fs:write://PATH", fails(abi.CodeNotFound, abi.CodeExists, abi.CodeLimit, abi.CodeIO)},
	abi.FsReaddir: {"JSON list of names", "fs:read://PATH", fails(abi.CodeNotFound, abi.CodeIO)},
	abi.FsStat:    {"abi.FileStat", "fs:read://PATH", fails(abi.CodeNotFound, abi.CodeIO)},
	abi.FsUnlink:  {"nothing", "fs:delete://PATH", fails(abi.CodeNotFound, abi.CodeIO)},
	abi.ReadFile:  {"bytes", "fs:read://PATH", fails(abi.CodeNotFound, abi.CodeIO)},
	abi.WriteFile: {"nothing", "fs:write://PATH", fails(abi.CodeNotFound, abi.CodeExists, abi.CodeLimit, abi.CodeIO)},

	abi.IpcPublish:     {"nothing", "ipc:publish:TOPIC", fails(abi.CodeLimit, abi.CodeQueueFull, abi.CodeIO)},
	abi.IpcSubscribe:   {"handle, decimal", "ipc:subscribe:PATTERN", fails(abi.CodeLimit)},
	abi.IpcUnsubscribe: {"nothing", "", fails(abi.CodeHandle)},
	abi.IpcPoll:        {"abi.PollEnvelope", "", fails(abi.CodeHandle)},
	abi.IpcRecv:        {"abi.PollEnvelope", "", fails(abi.CodeHandle, abi.CodeClosed)},

	abi.UplinkRegister: {"UUID", "uplink:register:PLATFORM/NAME", fails(abi.CodeExists, abi.CodeLimit)},
	abi.UplinkSend:     {"abi.UplinkAck", "uplink:send:PLATFORM/NAME", fails(abi.CodeHandle, abi.CodeLimit, abi.CodeIO)},

	abi.KvGet:         {"bytes; none when the key is missing", "", fails(abi.CodeIO)},
	abi.KvSet:         {"nothing", "", fails(abi.CodeLimit, abi.CodeIO)},
	abi.KvDelete:      {"nothing", "", fails(abi.CodeIO)},
	abi.KvListKeys:    {"JSON list of keys, sorted", "", fails(abi.CodeIO)},
	abi.KvClearPrefix: {"number of keys, decimal", "", fails(abi.CodeIO)},

	abi.GetConfig:     {"text; none when it is not set", "", fails(abi.CodeIO)},
	abi.GetCaller:     {"abi.Caller", "", nil},
	abi.HTTPRequestFn: {"abi.HTTPResponse", "net:URL without query", fails(abi.CodeIO)},
	abi.TriggerHook:   {"JSON list of answers", "hook:TOPIC", fails(abi.CodeLimit, abi.CodeQueueFull, abi.CodeIO)},
	abi.Log:           {"nothing", "", nil},
	abi.SpawnHost:     {"abi.ProcessResult", "exec://PROGRAM ARGS", fails(abi.CodeNotFound, abi.CodeLimit, abi.CodeUnsupported, abi.CodeIO)},

	abi.NetBindUnix: {"handle, decimal", "net:bind:CAPSULE/NAME", fails(abi.CodeExists, abi.CodeLimit, abi.CodeIO)},
	abi.NetAccept:   {"handle, decimal", "net:bind:CAPSULE/NAME", fails(abi.CodeHandle, abi.CodeLimit, abi.CodeClosed)},
	abi.NetRead:     {"abi.NetData and a frame, abi.NetClosed, or abi.NetNothing", "", fails(abi.CodeHandle, abi.CodeClosed, abi.CodeIO)},
	abi.NetWrite:    {"nothing", "", fails(abi.CodeHandle, abi.CodeClosed, abi.CodeIO)},

	abi.Elicit:                {`{"value"}, {"values"}, or {"ok"} for a secret`, "elicit:KEY", fails(abi.CodeIO)},
	abi.HasSecret:             {"abi.SecretAnswer", "", fails(abi.CodeIO)},
	abi.SignalReady:           {"nothing", "", nil},
	abi.ClockMs:               {"milliseconds since 1970, decimal", "", nil},
	abi.GetInterceptorHandles: {"JSON list of abi.InterceptorHandle", "", nil},
	abi.RequestApproval:       {"abi.ApprovalAnswer", "ask:ACTION:RESOURCE", nil},

	abi.IdentityResolve:    {"abi.IdentityAnswer: found, user_id, display_name", "identity:resolve:PLATFORM/ACCOUNT", fails(abi.CodeIO)},
	abi.IdentityLink:       {"abi.IdentityAnswer: ok, link", "identity:link:PLATFORM/ACCOUNT/USER", fails(abi.CodeNotFound, abi.CodeIO)},
	abi.IdentityUnlink:     {"abi.IdentityAnswer: ok, removed", "identity:unlink:PLATFORM/ACCOUNT", fails(abi.CodeIO)},
	abi.IdentityCreateUser: {"abi.IdentityAnswer: ok, user_id", "identity:create:NAME", fails(abi.CodeIO)},
	abi.IdentityListLinks:  {"abi.IdentityAnswer: ok, links", "identity:list:USER", fails(abi.CodeIO)},

	abi.CheckCapsuleCapability: {"abi.CapabilityAnswer", "", nil},

	abi.SpawnBackgroundHost: {"abi.ProcessHandle", "exec://PROGRAM ARGS", fails(abi.CodeNotFound, abi.CodeLimit, abi.CodeUnsupported, abi.CodeIO)},
	abi.ReadProcessLogsHost: {"abi.ProcessLogs", "", fails(abi.CodeHandle, abi.CodeClosed)},
	abi.KillProcessHost:     {"abi.ProcessKilled", "", fails(abi.CodeHandle, abi.CodeIO)},
	abi.NetCloseStream:      {"nothing", "", nil},
	abi.NetPollAccept:       {"handle, decimal; none when nobody came", "net:bind:CAPSULE/NAME", fails(abi.CodeHandle, abi.CodeClosed)},

	abi.HTTPStreamStart: {"abi.HTTPStream", "net:URL without query", fails(abi.CodeLimit, abi.CodeIO)},
	abi.HTTPStreamRead:  {"bytes; none at the end", "", fails(abi.CodeHandle, abi.CodeIO)},
	abi.HTTPStreamClose: {"nothing", "", nil},
}

// failures are all codes that a function can fail with.
func (h *Host) failures(fn abi.Function) []abi.Code {
	out := append([]abi.Code(nil), everyFails...)
	if h.table[fn].class == approval.Guarded {
		out = append(out, guardedFails...)
	}
	return append(out, descriptions[fn].fails...)
}

var classNames = map[approval.Class]string{approval.Plain: "plain", approval.Message: "message", approval.Guarded: "guarded"}

// WriteTable writes the table of host functions: what they take, with limits in bytes, what they answer, what the gate decides
// about, and how they can fail.
func WriteTable(w io.Writer) error {
	h := New(Services{})
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "#\tFUNCTION\tPARAMETERS (BYTES AT MOST)\tANSWER\tCLASS\tDECIDED AS\tFAILS ALSO WITH")
	for fn := range abi.FunctionCount {
		r, d := &h.table[fn], &descriptions[fn]
		var params, codes []string
		for _, p := range r.params {
			params = append(params, fmt.Sprintf("%s (%d)", p.name, p.max))
		}
		for _, c := range d.fails {
			codes = append(codes, c.String())
		}
		fmt.Fprintf(tw, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", fn, fn, dash(strings.Join(params, ", ")), d.answer, classNames[r.class], dash(d.resource), dash(strings.Join(codes, ", ")))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	word := func(list []abi.Code) string {
		var s []string
		for _, c := range list {
			s = append(s, c.String())
		}
		return strings.Join(s, ", ")
	}
	_, err := fmt.Fprintf(w, "\nEvery function can fail with %s; guarded ones also with %s.\n", word(everyFails), word(guardedFails))
	return err
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
