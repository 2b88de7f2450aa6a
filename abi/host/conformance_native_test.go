package host

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/unicity-astrid/astrid-go/abi"
)

// everything builds the guest that calls any function on demand, once.
var everything = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "everything")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "everything.wasm")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-ldflags=-s -w", "-o", out, "./testdata/guests/everything")
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=")
	if msg, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, msg)
	}
	bin, err := os.ReadFile(out)
	if err != nil {
		return nil, err
	}
	// Kept, so that the runtimes of the tests find it compiled in the cache they share.
	rt := wazero.NewRuntimeWithConfig(context.Background(), wazero.NewRuntimeConfig().WithCompilationCache(compiled))
	_, err = rt.CompileModule(context.Background(), bin)
	return bin, err
})

// goGuest is the native convention as a Go guest that is built with the SDK has it.
type goGuest struct{}

func (goGuest) name() string { return "native" }

// play makes the calls in one invocation of the guest.
func (goGuest) play(t *testing.T, r *rig, c *Capsule, call *Call, calls []transcriptCall) []outcome {
	t.Helper()
	type request struct {
		Fn     string `json:"fn"`
		Params []any  `json:"params"`
	}
	var reqs []request
	for _, tc := range calls {
		req := request{Fn: tc.fn.String(), Params: []any{}}
		for _, p := range tc.params {
			if p.result >= 0 {
				req.Params = append(req.Params, map[string]int{"result": p.result})
			} else {
				req.Params = append(req.Params, map[string]string{"base64": base64.StdEncoding.EncodeToString([]byte(p.text))})
			}
		}
		reqs = append(reqs, req)
	}
	payload, err := json.Marshal(map[string]any{"calls": reqs})
	must(t, err)
	out := trigger(t, r, c, call, "sequence", payload)
	if len(out) == 0 || out[0] != 0 {
		t.Fatalf("the guest answered %q", out)
	}
	var answers []struct {
		Name, Message string
		Result        []byte
	}
	must(t, json.Unmarshal(out[1:], &answers))
	var done []outcome
	for _, a := range answers {
		done = append(done, outcome{code: a.Name, text: a.Message, result: a.Result})
	}
	return done
}

// trigger runs an action of the everything guest in a new instance.
func trigger(t *testing.T, r *rig, c *Capsule, call *Call, action string, payload []byte) []byte {
	t.Helper()
	bin, err := everything()
	must(t, err)
	ctx := context.Background()
	if r.rt.Module(abi.ModuleWASI) == nil {
		_, err = wasi_snapshot_preview1.Instantiate(ctx, r.rt)
		must(t, err)
	}
	inst, err := r.host.NewInstance(c, false)
	must(t, err)
	defer inst.Close()
	ctx = Enter(ctx, inst, call)
	mod, err := r.rt.InstantiateWithConfig(ctx, bin, wazero.NewModuleConfig().WithName("").WithStartFunctions("_initialize").
		WithSysWalltime().WithSysNanotime().WithRandSource(rand.Reader).WithStderr(os.Stderr))
	must(t, err)
	defer mod.Close(ctx)
	input := abi.EncodeHookInput(action, payload)
	inst.Park(input)
	res, err := mod.ExportedFunction(abi.ExportHookTrigger).Call(ctx, uint64(len(input)))
	must(t, err)
	out, ok := mod.Memory().Read(uint32(res[0]>>32), uint32(res[0]))
	if !ok {
		t.Fatalf("output %#x lies outside of the guest's memory", res[0])
	}
	return bytes.Clone(out)
}
