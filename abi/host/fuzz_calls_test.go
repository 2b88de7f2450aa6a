package host

import (
	"context"
	"os"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
)

// FuzzCalls makes calls of all host functions with any bytes. None is a defect of the host, and none keeps
// what it was given: the parameters lie in memory that nobody can read once the call is over, as a guest's is that has ended.
func FuzzCalls(f *testing.F) {
	for _, s := range []struct {
		fn      abi.Function
		a, b, c string
	}{
		{abi.FsExists, "a", "", ""}, {abi.FsMkdir, "d/e", "", ""}, {abi.FsReaddir, "home://", "", ""}, {abi.FsStat, "/tmp/x", "", ""},
		{abi.FsUnlink, "a/../b", "", ""}, {abi.ReadFile, "/ws/%2e%2e/a", "", ""}, {abi.WriteFile, "f", "text", ""},
		{abi.IpcPublish, "t.v1.a", `{"type":"custom","data":{"k":[1]}}`, ""}, {abi.IpcSubscribe, "t.v1.*", "", ""}, {abi.IpcUnsubscribe, "1", "", ""},
		{abi.IpcPoll, "1", "", ""}, {abi.IpcRecv, "1", "5", ""},
		{abi.UplinkRegister, "chat", "Telegram", "chat"}, {abi.UplinkSend, "id", "42", "hello"},
		{abi.KvGet, "k", "", ""}, {abi.KvSet, "k", "v", ""}, {abi.KvDelete, "k", "", ""}, {abi.KvListKeys, "", "", ""}, {abi.KvClearPrefix, "k", "", ""},
		{abi.GetConfig, "api_key", "", ""}, {abi.HTTPRequestFn, `{"url":"https://a.test/","headers":{"X":"1"}}`, "", ""},
		{abi.TriggerHook, `{"hook":"t.v1.a","payload":{"a":1}}`, "", ""}, {abi.Log, "warn", "line\x1b[2J", ""},
		{abi.SpawnHost, `{"cmd":"true","args":["a"],"stdin":"x"}`, "", ""}, {abi.NetBindUnix, "s.sock", "", ""}, {abi.NetAccept, "1", "", ""},
		{abi.NetRead, "1", "", ""}, {abi.NetWrite, "1", "data", ""}, {abi.Elicit, `{"type":"select","key":"k","description":"d","options":["a","b"]}`, "", ""},
		{abi.HasSecret, `{"key":"api_key"}`, "", ""}, {abi.RequestApproval, `{"action":"delete","resource":"r","risk_level":"high"}`, "", ""},
		{abi.IdentityResolve, `{"platform":"telegram","platform_user_id":"42"}`, "", ""},
		{abi.IdentityLink, `{"platform":"t","platform_user_id":"4","astrid_user_id":"6f1c0000-0000-4000-8000-000000000000","method":"m"}`, "", ""},
		{abi.IdentityCreateUser, `{"display_name":"A"}`, "", ""}, {abi.CheckCapsuleCapability, `{"source_uuid":"known","capability":"c"}`, "", ""},
		{abi.SpawnBackgroundHost, `{"cmd":"sleep","args":["1"]}`, "", ""}, {abi.ReadProcessLogsHost, `{"id":1}`, "", ""}, {abi.KillProcessHost, `{"id":1}`, "", ""},
		{abi.HTTPStreamStart, `{"url":"http://127.0.0.1:9/","cost_usd":1}`, "", ""}, {abi.HTTPStreamRead, `{"handle":"1","until":"1"}`, "", ""},
		{abi.HTTPStreamClose, `{"handle":"1","cost_usd":0.5}`, "", ""},
	} {
		f.Add(byte(s.fn), []byte(s.a), []byte(s.b), []byte(s.c))
	}
	r := newRig(f, rigOptions{rules: approval.Rules{Mode: approval.Autonomous}})
	g := everythingGrants()
	g.HostProcess = nil
	inst, err := r.host.NewInstance(newCapsule(g), false)
	must(f, err)
	f.Cleanup(inst.Close)
	const size = 1 << 18
	room, err := unix.Mmap(-1, 0, size, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON)
	must(f, err)
	f.Cleanup(func() { must(f, os.NewSyscallError("munmap", unix.Munmap(room))) })
	f.Fuzz(func(t *testing.T, n byte, a, b, c []byte) {
		fn := abi.Function(n) % abi.FunctionCount
		must(t, unix.Mprotect(room, unix.PROT_READ|unix.PROT_WRITE))
		left := room
		given := [][]byte{a, b, c}
		args := make([][]byte, len(r.host.table[fn].params))
		for i := range args {
			if len(given[i]) > min(len(left), r.host.table[fn].params[i].max) {
				return
			}
			args[i] = left[:copy(left, given[i])]
			left = left[len(args[i]):]
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		call := &Call{Principal: "default", Session: "s1", Lifecycle: n >= 128}
		ctx = Enter(ctx, inst, call)
		out, e := r.host.invoke(ctx, frameOf(ctx), fn, args)
		for i, arg := range args {
			if string(arg) != string(given[i]) {
				t.Errorf("%s changed its parameter", fn)
			}
		}
		must(t, unix.Mprotect(room, unix.PROT_NONE))
		switch {
		case e != nil && (e.Code == abi.CodeInternal || e.Code == abi.OK || !utf8.ValidString(errorText(e))):
			t.Errorf("%s: %s: %s", fn, e.Code, e.Message)
		case e == nil && len(out) > maxResult:
			t.Errorf("%s: %d bytes", fn, len(out))
		}
	})
}
