package wasm

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/capsule"
)

// goGuest builds the guest that ends in every way a Go program can.
func goGuest(t testing.TB) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "everything.wasm")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-ldflags=-s -w", "-o", out, "./testdata/guests/everything")
	cmd.Dir = filepath.Join("..", "..", "..")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=")
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, msg)
	}
	b, err := os.ReadFile(out)
	must(t, err)
	return b
}

// TestGoGuest: a capsule made with the SDK, as the kernel runs it.
func TestGoGuest(t *testing.T) {
	ctx := context.Background()
	r, w := newRuntime(t, Options{CallDeadline: 2 * time.Minute})
	e, err := r.Load(ctx, testCapsule(), goGuest(t))
	must(t, err)
	t.Cleanup(func() { must(t, e.Close(ctx)) })
	call := func(i *Instance, ctx context.Context, action, payload string) (capsule.Result, error) {
		out, err := i.Call(ctx, &capsule.Invocation{Action: action, Payload: []byte(payload), Principal: "alice"})
		return capsule.DecodeResult(out), err
	}
	i := instantiate(t, e)
	for action, want := range map[string]capsule.Result{
		"echo":  {Verdict: capsule.Continue, Payload: []byte(`"aGk="`)},
		"final": {Verdict: capsule.Final},
		"deny":  {Verdict: capsule.Deny, Reason: "hi"},
		"empty": {Verdict: capsule.Continue},
	} {
		got, err := call(i, ctx, action, "hi")
		if err != nil || got.Verdict != want.Verdict || got.Reason != want.Reason {
			t.Errorf("%s: %+v %v", action, got, err)
		}
	}
	for action, texts := range map[string][]string{
		"exit": {"exit_code(3)"}, "recurse": {"stack"}, "grow": {},
	} {
		i := instantiate(t, e)
		start := time.Now()
		_, err := call(i, ctx, action, "why not")
		if !errors.Is(err, capsule.ErrInstanceDead) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v after %s", action, err, time.Since(start))
			continue
		}
		if action != "recurse" { // a Go program's own stack limit ends it, or wazero's does
			wantError(t, err, texts...)
		}
		if u := e.Usage().Memory(); u > uint64(e.Usage().Instances())*64<<20 {
			t.Errorf("%s: %d bytes", action, u)
		}
	}
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := call(instantiate(t, e), short, "spin", ""); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > slack {
		t.Errorf("spin: %v after %s", err, time.Since(start))
	}
	// What a dying program prints is in the log of whom it died for.
	if lines := strings.Join(w.lines(), "\n"); !strings.Contains(lines, "alice guest WARN") || !strings.Contains(lines, "out of memory") {
		t.Errorf("logged %.2000s", lines)
	}
}
