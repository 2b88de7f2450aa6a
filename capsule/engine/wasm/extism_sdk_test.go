package wasm

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi/host"
	"github.com/unicity-astrid/astrid-go/abi/host/hosttest"
)

// call is one call of an export that the kernel would not call.
type sdkCall struct {
	export, input string
	want          string // output, or what the error says
	fails         bool
}

// sdkGuests are the guests of Extism's Go SDK, made with TinyGo, Go, Rust, AssemblyScript, Haskell and by hand.
// Those with refused import what capsules may not.
var sdkGuests = map[string]struct {
	refused []string
	calls   []sdkCall
}{
	"alloc.wasm":        {calls: []sdkCall{{export: "run_test"}, {export: "run_test"}}},
	"config.wasm":       {calls: []sdkCall{{export: "run_test", want: "<unset by host>"}}},
	"count_vowels.wasm": {calls: []sdkCall{{"count_vowels", "hello world", `{"count":3,"total":3,"vowels":"aeiouAEIOU"}`, false}, {"count_vowels", "aaa", `{"count":3,"total":6,"vowels":"aeiouAEIOU"}`, false}}},
	"fail.wasm":         {calls: []sdkCall{{"run_test", "", "Some error message", true}, {"run_test", "", "Some error message", true}}},
	"hello.wasm":        {calls: []sdkCall{{"run_test", "", "Hello, world!", false}}},
	"http.wasm":         {calls: []sdkCall{{"run_test", "", "is not allowed", true}}},
	"http_headers.wasm": {calls: []sdkCall{{"http_get", `{"url":"https://a.test/x","headers":{}}`, "HTTP request to https://a.test/x is not allowed", true}}},
	"input_offset.wasm": {calls: []sdkCall{{"input_offset_length", "12345", "\x05\x00\x00\x00\x00\x00\x00\x00", false}}},
	"log.wasm":          {calls: []sdkCall{{export: "run_test"}}},
	"noop.wasm":         {},
	"replace.wasm":      {calls: []sdkCall{{"run_test", "This is wonderful!", "This is wonderful!", false}}},
	"var.wasm":          {calls: []sdkCall{{export: "run_test", want: "a: 0"}, {export: "run_test", want: "a: 0"}}},
	"hello_haskell.wasm": {calls: []sdkCall{
		{"testing", "Frodo", "Hello, Frodo", false}}},
	"exit.wasm":             {calls: []sdkCall{{"_start", "", "exit_code(2)", true}}},
	"sleep.wasm":            {},
	"fs.wasm":               {calls: []sdkCall{{"run_test", "", "non-zero exit code: 1", true}}},
	"fs_std.wasm":           {calls: []sdkCall{{"run_test", "", "non-zero exit code: 1", true}}},
	"read_write.wasm":       {calls: []sdkCall{{"try_read", "", "Path not found in config", true}}},
	"println.wasm":          {calls: []sdkCall{{export: "run_test", input: "hi"}}},
	"count_vowels_std.wasm": {calls: []sdkCall{{"_start", "hello", `"count": 2`, false}}},
	"std_command.wasm":      {calls: []sdkCall{{"_start", "ben", "hello ben", false}, {"_start", "eve", "hello eve", false}}},

	"host.wasm":           {refused: []string{"extism:host/user.mult (no such function)"}},
	"host_memory.wasm":    {refused: []string{"host.to_upper (no such module)"}},
	"host_multiple.wasm":  {refused: []string{"extism:host/user.hostGreenMessage (no such function)", "hostPurpleMessage"}},
	"lib.wasm":            {},
	"main.wasm":           {refused: []string{"lib.capitalize (no such module)"}},
	"nested.c.instr.wasm": {refused: []string{"dylibso_observe.instrument_enter (no such module)", "instrument_memory_grow"}},
}

// TestExtismSDKGuests: what needs no more than capsules may have loads and runs; the rest is refused with the reason.
func TestExtismSDKGuests(t *testing.T) {
	dir := filepath.Join(hosttest.ExtismSDK(t), "wasm")
	files, err := filepath.Glob(filepath.Join(dir, "*.wasm"))
	must(t, err)
	if len(files) < len(sdkGuests) {
		t.Errorf("%d guests in %s, want %d", len(files), dir, len(sdkGuests))
	}
	ctx := context.Background()
	r, w := newRuntime(t, Options{CallDeadline: 10 * time.Second})
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(strings.TrimSuffix(name, ".wasm"), func(t *testing.T) {
			g, ok := sdkGuests[name]
			if !ok {
				t.Fatal("nothing is known of this guest")
			}
			bin, err := os.ReadFile(file)
			must(t, err)
			e, err := r.Load(ctx, testCapsule(), bin)
			if g.refused != nil {
				if err == nil {
					t.Fatal("it was loaded")
				}
				wantError(t, err, g.refused...)
				wantError(t, Check(ctx, bin), g.refused...)
				return
			}
			must(t, err)
			if len(bin) < 1<<20 { // it takes a second for a Go program
				must(t, Check(ctx, bin))
			}
			t.Cleanup(func() { must(t, e.Close(ctx)) })
			i := instantiate(t, e)
			for _, c := range g.calls {
				out, err := i.callExport(ctx, c.export, c.input)
				if c.fails != (err != nil) || err == nil && !strings.Contains(out, c.want) || err != nil && !strings.Contains(err.Error(), c.want) {
					t.Errorf("%s(%q) = %q, %v; want %q", c.export, c.input, out, err, c.want)
				}
				if i.dead != nil || i.left {
					i = instantiate(t, e)
				}
			}
		})
	}
	for _, line := range []string{"INFO this is an info log", "ERROR this is an error log", "WARN this was printed from the plugin hi"} {
		if !slices.Contains(w.lines(), "default guest "+line) {
			t.Errorf("%q was not logged", line)
		}
	}
}

// callExport calls any export of the instance, as the tests of that SDK do.
func (i *Instance) callExport(ctx context.Context, export, input string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, i.e.r.opts.CallDeadline)
	defer cancel()
	i.enter(ctx, &host.Call{Principal: "default"})
	defer i.leave()
	fn := i.mod.ExportedFunction(export)
	if !i.e.extism {
		_, err := fn.Call(i.ctx)
		return "", err
	}
	out, err := i.callExtism(ctx, export, fn, []byte(input))
	return string(out), err
}
