package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
)

// TestExtismSignatures: the names, types and ways to answer that v0.5.0 has. They are written down
// here once more, by hand, since guests that were built against them do not change.
func TestExtismSignatures(t *testing.T) {
	const status, nothing, bytes = returnsStatus, returnsNothing, returnsBytes
	want := []struct {
		name   string
		params int
		how    extismReturn
	}{
		{"astrid_fs_exists", 1, status}, {"astrid_fs_mkdir", 1, nothing}, {"astrid_fs_readdir", 1, status}, {"astrid_fs_stat", 1, status},
		{"astrid_fs_unlink", 1, nothing}, {"astrid_read_file", 1, status}, {"astrid_write_file", 2, nothing}, {"astrid_ipc_publish", 2, nothing},
		{"astrid_ipc_subscribe", 1, bytes}, {"astrid_ipc_unsubscribe", 1, nothing}, {"astrid_ipc_poll", 1, bytes}, {"astrid_ipc_recv", 2, bytes},
		{"astrid_uplink_register", 3, bytes}, {"astrid_uplink_send", 3, bytes}, {"astrid_kv_get", 1, status}, {"astrid_kv_set", 2, nothing},
		{"astrid_kv_delete", 1, nothing}, {"astrid_kv_list_keys", 1, status}, {"astrid_kv_clear_prefix", 1, status}, {"astrid_get_config", 1, bytes},
		{"astrid_get_caller", 0, bytes}, {"astrid_http_request", 1, bytes}, {"astrid_trigger_hook", 1, bytes}, {"astrid_log", 2, nothing},
		{"astrid_spawn_host", 1, bytes}, {"astrid_net_bind_unix", 1, bytes}, {"astrid_net_accept", 1, bytes}, {"astrid_net_read", 1, bytes},
		{"astrid_net_write", 2, nothing}, {"astrid_elicit", 1, bytes}, {"astrid_has_secret", 1, bytes}, {"astrid_signal_ready", 0, nothing},
		{"astrid_clock_ms", 0, bytes}, {"astrid_get_interceptor_handles", 0, bytes}, {"astrid_request_approval", 1, bytes},
		{"astrid_identity_resolve", 1, bytes}, {"astrid_identity_link", 1, bytes}, {"astrid_identity_unlink", 1, bytes},
		{"astrid_identity_create_user", 1, bytes}, {"astrid_identity_list_links", 1, bytes}, {"astrid_check_capsule_capability", 1, bytes},
		{"astrid_spawn_background_host", 1, bytes}, {"astrid_read_process_logs_host", 1, bytes}, {"astrid_kill_process_host", 1, bytes},
		{"astrid_net_close_stream", 1, nothing}, {"astrid_net_poll_accept", 1, bytes}, {"astrid_http_stream_start", 1, bytes},
		{"astrid_http_stream_read", 1, bytes}, {"astrid_http_stream_close", 1, nothing},
	}
	r := newRig(t, rigOptions{})
	g := r.extismGuest(newCapsule(everythingGrants()))
	defs := r.rt.Module(abi.ModuleExtismUser).ExportedFunctionDefinitions()
	if len(want) != int(abi.FunctionCount) || len(defs) != len(want) {
		t.Fatalf("%d functions, %d wanted", len(defs), len(want))
	}
	for i, w := range want {
		d := defs[w.name]
		if d == nil || abi.Function(i).String() != w.name || len(d.ParamTypes()) != w.params || (len(d.ResultTypes()) == 0) != (w.how == nothing) || extismReturns[i] != w.how {
			t.Errorf("%d %s: %v", i, w.name, d)
			continue
		}
		// A QuickJS guest is told the same.
		for arg := range 6 {
			if got := g.must("__get_function_arg_type", uint64(i), uint64(arg)); (got == 2) != (arg < w.params) || got != 0 && got != 2 {
				t.Errorf("%s: parameter %d has type %d", w.name, arg, got)
			}
		}
		if got := g.must("__get_function_return_type", uint64(i)); (got == 0) != (w.how == nothing) {
			t.Errorf("%s returns type %d", w.name, got)
		}
	}
	for _, fn := range []uint64{uint64(abi.FunctionCount), 1<<32 - 1} {
		if g.must("__get_function_arg_type", fn, 0) != 0 || g.must("__get_function_return_type", fn) != 0 || g.must("__invokeHostFunc", fn, 1, 2, 3, 4, 5) != 0 {
			t.Errorf("function %d is known", fn)
		}
	}
}

func TestExtismCalls(t *testing.T) {
	r := newRig(t, rigOptions{})
	g := r.extismGuest(newCapsule(everythingGrants()))
	ok := func(want string, fn abi.Function, params ...string) {
		t.Helper()
		if out, err := g.do(fn, params...); out != want || err != nil {
			t.Errorf("%s%q = %q, %v; want %q", fn, params, out, err, want)
		}
	}
	fails := func(trap bool, text string, fn abi.Function, params ...string) {
		t.Helper()
		out, err := g.do(fn, params...)
		var tr *Trap
		if err == nil || errors.As(err, &tr) != trap || !strings.Contains(err.Error(), text) {
			t.Errorf("%s%.100q = %.100q, %v; want …%s…, trap %v", fn, params, out, err, text, trap)
		}
	}
	big := strings.Repeat("0123456", 3000) // no whole number of words
	ok("", abi.WriteFile, "a.txt", big)
	ok(big, abi.ReadFile, "a.txt")
	ok("true", abi.FsExists, "a.txt")
	ok("", abi.FsExists, "b.txt")
	ok(`["a.txt"]`, abi.FsReaddir, "")
	ok("", abi.KvSet, "k", "")
	ok("", abi.KvGet, "k")
	ok("", abi.KvGet, "none")
	ok(`["k"]`, abi.KvListKeys, "")
	ok("1", abi.KvClearPrefix, "")
	ok("hello", abi.GetConfig, "greeting")
	ok("", abi.GetConfig, "none")
	ok("1", abi.IpcSubscribe, "t.v1.a")
	ok("", abi.IpcPublish, "t.v1.a", `{"x":1}`)
	if out, err := g.do(abi.IpcPoll, "1"); err != nil || !strings.Contains(out, `"payload":{"type":"custom","data":{"x":1}}`) {
		t.Errorf("%q %v", out, err)
	}
	ok("", abi.IpcUnsubscribe, "1")
	ok(`{"project_trusted":true}`, abi.GetCaller)
	ok("[]", abi.GetInterceptorHandles)
	ok("", abi.SignalReady)
	ok("", abi.Log, "WARN", "watch out")
	if logs := strings.Join(r.logs, "\n"); !strings.Contains(logs, "default guest WARN watch out") {
		t.Errorf("%q", logs)
	}
	if out, err := g.do(abi.ClockMs); err != nil || len(out) < 13 {
		t.Errorf("%q %v", out, err)
	}

	fails(false, "no such file", abi.ReadFile, "none")
	fails(false, "denied by manifest", abi.ReadFile, "../../etc/passwd")
	fails(true, "denied by manifest", abi.WriteFile, "../../etc/passwd", "x")
	fails(true, "not empty", abi.FsUnlink, func() string { ok("", abi.FsMkdir, "d/e"); return "d" }())
	fails(true, "subscription handle 1 not found", abi.IpcPoll, "1")
	fails(true, "not a number", abi.IpcUnsubscribe, "x")
	fails(true, "denied by manifest", abi.IpcPublish, "other.v1.a", "{}")
	fails(true, "memory allocation of 4097 bytes exceeds maximum allowed limit of 4096 bytes", abi.ReadFile, strings.Repeat("x", 4097))
	fails(true, "not valid UTF-8", abi.KvListKeys, "\xff")
	fails(true, "not valid UTF-8", abi.KvClearPrefix, "\xff")
	fails(false, "key", abi.KvGet, "")

	// The same through the shim, by number.
	p := g.give("a.txt")
	if out := string(g.read(g.must("__invokeHostFunc", uint64(abi.ReadFile), p, 0, 0, 0, 0))); out != "\x00"+big {
		t.Errorf("%.20q", out)
	}
	if out := g.must("__invokeHostFunc", uint64(abi.FsMkdir), g.give("e"), 1, 2, 3, 4); out != 0 {
		t.Errorf("a function without a result returned %d", out)
	}
	if _, err := g.raw("__invokeHostFunc", uint64(abi.FsMkdir), 1<<40, 0, 0, 0, 0); err == nil {
		t.Error("a handle that is none was taken")
	}
}

// TestExtismHandles: whatever a guest passes for a handle, it gets nothing of others.
func TestExtismHandles(t *testing.T) {
	r := newRig(t, rigOptions{})
	g := r.extismGuest(newCapsule(everythingGrants()))
	block := g.give("0123456789")
	for _, off := range []uint64{1, 63, block - 1, block + 1, block + 9, block + 10, block + 1<<32, 1 << 31, 1<<32 - 1, 1 << 63, 1<<64 - 1} {
		_, err := g.raw(abi.KvGet.String(), off)
		var trap *Trap
		if !errors.As(err, &trap) || !strings.Contains(err.Error(), fmt.Sprintf("invalid memory offset: I64(%d)", int64(off))) {
			t.Errorf("handle %d: %v", off, err)
		}
		if n := g.must("length", off) + g.must("length_unsafe", off); n != 0 {
			t.Errorf("handle %d has length %d", off, n)
		}
		g.must("free", off)
		if g.must("output_set", off, 1<<64-1); g.must("output_length") != 0 {
			t.Errorf("output_set(%d, 2^64-1) was taken", off)
		}
	}
	if got := string(g.read(block)); got != "0123456789" {
		t.Errorf("the block holds %q", got)
	}
	g.must("free", block)
	g.must("free", block)
	if _, err := g.raw(abi.KvGet.String(), block); err == nil {
		t.Error("a freed block was read")
	}
	for _, n := range []uint64{extismLimit, 1 << 32, 1<<32 - 1, 1 << 63, 1<<64 - 1, 1<<64 - 64} {
		if _, err := g.raw("alloc", n); err == nil || !strings.Contains(err.Error(), "oom") {
			t.Errorf("alloc(%d): %v", n, err)
		}
	}
	if n := g.must("alloc", 0); n != 0 {
		t.Errorf("alloc(0) = %d", n)
	}
}

// TestExtismMemoryIsBounded: what a guest makes counts together with its own memory, tiny blocks and
// results included.
func TestExtismMemoryIsBounded(t *testing.T) {
	r := newRig(t, rigOptions{})
	g := r.extismGuest(newCapsule(everythingGrants()))
	fill := func(size uint64) (blocks int) {
		for {
			if _, err := g.raw("alloc", size); err != nil {
				var trap *Trap
				if !errors.As(err, &trap) || trap.Err.Code != abi.CodeLimit {
					t.Fatal(err)
				}
				return blocks
			}
			blocks++
		}
	}
	if n := fill(10 << 20); n != 6 {
		t.Errorf("%d blocks of 10 MiB", n)
	}
	g.must("reset")
	if n := fill(1 << 10); n > 64<<10 {
		t.Errorf("%d blocks of 1 KiB", n)
	}
	if g.inst.ExtismSize() > extismLimit {
		t.Errorf("%d bytes", g.inst.ExtismSize())
	}
	g.must("reset")
	// A run loop never frees what the host gives it.
	big := strings.Repeat("x", 9<<20)
	must(t, os.WriteFile(filepath.Join(r.ws, "big"), []byte(big), 0o600))
	path := g.give("big")
	for range 30 {
		off := g.must(abi.ReadFile.String(), path)
		if n := g.must("length", off); n != uint64(len(big))+1 {
			t.Fatalf("%d bytes", n)
		}
	}
	handle := g.must(abi.IpcSubscribe.String(), g.give("t.v1.a"))
	for range 500 { // a handle in use is kept, however old
		g.must(abi.IpcPoll.String(), handle)
		g.must(abi.ClockMs.String())
	}
	if n := len(g.inst.extism.mem.results); n > extismResults {
		t.Errorf("%d results are kept", n)
	}
}

// TestExtismOutputFreed: some guests free their output before they return.
func TestExtismOutputFreed(t *testing.T) {
	r := newRig(t, rigOptions{})
	g := r.extismGuest(newCapsule(everythingGrants()))
	for name, c := range map[string]struct {
		want, failure string
		run           func()
	}{
		"nothing": {"", "", func() {}},
		"kept":    {"hello", "", func() { g.must("output_set", g.give("hello"), 5) }},
		"part":    {"ell", "", func() { g.must("output_set", g.give("hello")+1, 3) }},
		"freed":   {"hello", "", func() { o := g.give("hello"); g.must("output_set", o, 5); g.must("free", o); g.give("other") }},
		"freed, again": {"b", "", func() {
			o := g.give("a")
			g.must("output_set", o, 1)
			g.must("free", o)
			g.must("output_set", g.give("b"), 1)
		}},
		"emptied": {"", "", func() { o := g.give("a"); g.must("output_set", o, 1); g.must("output_set", o, 0) }},
		"error":   {"", "bad", func() { g.must("output_set", g.give("a"), 1); g.must("error_set", g.give("bad")) }},
		"error taken back": {"a", "", func() {
			g.must("error_set", g.give("bad"))
			g.must("output_set", g.give("a"), 1)
			g.must("error_set", 0)
		}},
		"error freed":     {"", "", func() { o := g.give("bad"); g.must("error_set", o); g.must("free", o) }},
		"error nowhere":   {"", "", func() { g.must("error_set", 12345) }},
		"error in binary": {"", "\uFFFD", func() { g.must("error_set", g.give("\xff")) }},
	} {
		must(t, g.inst.ExtismInput([]byte("in"), 0))
		c.run()
		if out, failure := g.inst.ExtismResult(); string(out) != c.want || failure != c.failure {
			t.Errorf("%s: %q %q", name, out, failure)
		}
		if g.inst.ExtismSize() != 0 {
			t.Errorf("%s: %d bytes are left", name, g.inst.ExtismSize())
		}
	}
}

func TestExtismVariables(t *testing.T) {
	r := newRig(t, rigOptions{})
	g := r.extismGuest(newCapsule(everythingGrants()))
	get := func(k string) string { return string(g.read(g.must("var_get", g.give(k)))) }
	set := func(k, v string) error { _, err := g.raw("var_set", g.give(k), g.give(v)); return err }
	must(t, set("k", "v"))
	must(t, g.inst.ExtismInput(nil, 0))
	if get("k") != "v" || get("none") != "" {
		t.Error("a variable does not outlive a call")
	}
	must(t, set("k", "")) // offset 0 removes
	if get("k") != "" {
		t.Error("it was not removed")
	}
	zeros := func(k string, n uint64) error {
		_, err := g.raw("var_set", g.give(k), g.must("alloc", n))
		return err
	}
	if err := zeros("big", extismVars); err == nil || !strings.Contains(err.Error(), "Variable store is full") {
		t.Error(err)
	}
	for i := 0; ; i++ {
		if err := zeros(fmt.Sprint("key", i), 1000); err != nil {
			if i < 900 || i > 1048 {
				t.Errorf("%d variables: %v", i, err)
			}
			break
		}
	}
	must(t, zeros("key0", 1000)) // another value takes no more room
	if g.must("reset"); g.inst.ExtismSize() > extismVars {
		t.Errorf("%d bytes", g.inst.ExtismSize())
	}
	if _, err := g.raw("var_set", g.give("k"), 99); err == nil {
		t.Error("a value that is no block was taken")
	}
}
