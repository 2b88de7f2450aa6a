package host

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/tetratelabs/wazero"

	"github.com/unicity-astrid/astrid-go/abi"
)

const watDir = "../../testdata/guests/wat"

// watGuest is the native convention as a guest has it that no SDK was used for.
type watGuest struct{}

func (watGuest) name() string { return "wat" }

// play makes each call in an invocation of its own, in one instance.
func (watGuest) play(t *testing.T, r *rig, c *Capsule, call *Call, calls []transcriptCall) []outcome {
	t.Helper()
	bin, err := os.ReadFile(filepath.Join(watDir, "calls.wasm"))
	must(t, err)
	inst, err := r.host.NewInstance(c, false)
	must(t, err)
	defer inst.Close()
	ctx := Enter(context.Background(), inst, call)
	mod, err := r.rt.InstantiateWithConfig(ctx, bin, wazero.NewModuleConfig().WithName(""))
	must(t, err)
	defer mod.Close(ctx)
	var done []outcome
	for _, tc := range calls {
		payload := []byte{byte(tc.fn), byte(len(tc.params))}
		for _, p := range tc.params {
			text := []byte(p.text)
			if p.result >= 0 {
				text = done[p.result].result
			}
			payload = append(binary.LittleEndian.AppendUint32(payload, uint32(len(text))), text...)
		}
		input := abi.EncodeHookInput("call", payload)
		inst.Park(input)
		res, err := mod.ExportedFunction(abi.ExportHookTrigger).Call(ctx, uint64(len(input)))
		must(t, err)
		out, ok := mod.Memory().Read(uint32(res[0]>>32), uint32(res[0]))
		if !ok || len(out) < 9 || out[0] != abi.VerdictContinue {
			t.Fatalf("%s: output %q of %#x", tc.fn, out, res[0])
		}
		word, body := binary.LittleEndian.Uint64(out[1:]), bytes.Clone(out[9:])
		if uint64(len(body)) != word&0xffffffff {
			t.Errorf("%s: took %d bytes of %d", tc.fn, len(body), uint32(word))
		}
		o := outcome{code: abi.Code(word >> 32).String()}
		if o.code == "ok" {
			o.result = body
		} else {
			o.text = string(body)
		}
		done = append(done, o)
	}
	return done
}

// TestWatIsBuilt: the binary is what the source says. It needs wat2wasm, which .ci/run installs.
func TestWatIsBuilt(t *testing.T) {
	tool, err := exec.LookPath("wat2wasm")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("wat2wasm is not installed")
	}
	out := filepath.Join(t.TempDir(), "calls.wasm")
	if msg, err := exec.Command(tool, filepath.Join(watDir, "calls.wat"), "-o", out).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, msg)
	}
	want, err := os.ReadFile(out)
	must(t, err)
	got, err := os.ReadFile(filepath.Join(watDir, "calls.wasm"))
	must(t, err)
	if !bytes.Equal(got, want) {
		t.Error("calls.wasm is not built from calls.wat: run make guests")
	}
}
