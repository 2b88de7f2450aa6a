package wasm

import (
	"context"
	"encoding/json"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/host"
	"github.com/unicity-astrid/astrid-go/abi/host/hosttest"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/ipc"
	"github.com/unicity-astrid/astrid-go/vfs"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// world is a host with a bus, a log and a gate that records in memory.
type world struct {
	bus *ipc.Bus

	mu   sync.Mutex
	logs []string
}

func (w *world) Append(context.Context, approval.Record) (string, error) { return "id", nil }
func (w *world) Settle(context.Context, approval.Settlement) error       { return nil }
func (w *world) Publish(ctx context.Context, m *ipc.Message) error       { return w.bus.Publish(ctx, m) }
func (w *world) HasCapability(string, string) bool                       { return false }
func (w *world) Home(context.Context, string) (vfs.Vfs, error)           { return nil, fs.ErrNotExist }
func (w *world) Tmp(context.Context, string) (vfs.Vfs, error)            { return nil, fs.ErrNotExist }
func (w *world) ProjectTrusted(_, _, _ string) bool                      { return false }

func (w *world) WorkspaceOf(context.Context, string, string) (string, error) { return "/ws", nil }
func (w *world) Workspace(context.Context, string, string) (vfs.Vfs, func(), error) {
	return nil, nil, fs.ErrNotExist
}
func (w *world) Trigger(context.Context, *host.Instance, *host.Call, string, []byte) ([]json.RawMessage, error) {
	return nil, nil
}

func (w *world) CapsuleLog(principal, id string, level slog.Level, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.logs = append(w.logs, principal+" "+id+" "+level.String()+" "+text)
}

func (w *world) lines() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.logs)
}

// noSpace is a key-value namespace that keeps nothing.
type noSpace struct{}

func (noSpace) Get(context.Context, string) ([]byte, error)      { return nil, fs.ErrNotExist }
func (noSpace) Put(context.Context, string, []byte) error        { return nil }
func (noSpace) Delete(context.Context, string) error             { return nil }
func (noSpace) List(context.Context, string) ([]string, error)   { return nil, nil }
func (noSpace) ClearPrefix(context.Context, string) (int, error) { return 0, nil }

func newRuntime(t testing.TB, o Options) (*Runtime, *world) {
	t.Helper()
	return newRuntimeWith(t, o, approval.Rules{})
}

func newRuntimeWith(t testing.TB, o Options, rules approval.Rules) (*Runtime, *world) {
	t.Helper()
	w := &world{bus: ipc.NewBus(ipc.BusOptions{})}
	policy, err := approval.CompilePolicy(rules)
	must(t, err)
	gate, err := approval.New(approval.Options{Auditor: w, Policy: policy})
	must(t, err)
	h := host.New(host.Services{
		Gate: gate, Publisher: w, Bus: w.bus, Files: w, Log: w, Directory: w,
		KV: func(string, string) host.Space { return noSpace{} },
	})
	r, err := NewRuntime(context.Background(), h, o)
	must(t, err)
	t.Cleanup(func() { must(t, r.Close(context.Background())) })
	return r, w
}

func testCapsule() *host.Capsule {
	return &host.Capsule{
		ID: "guest", SourceID: "uuid", Principal: "default",
		Bounds: host.NewBounds("guest", host.Grants{IPCSubscribe: []string{"t.v1.a"}}),
	}
}

func load(t testing.TB, r *Runtime, m hosttest.Module) *Engine {
	t.Helper()
	e, err := r.Load(context.Background(), testCapsule(), m.Bytes())
	must(t, err)
	t.Cleanup(func() { must(t, e.Close(context.Background())) })
	return e
}

func instantiate(t testing.TB, e *Engine) *Instance {
	t.Helper()
	i, err := e.Instantiate(context.Background())
	must(t, err)
	t.Cleanup(func() { must(t, i.Close(context.Background())) })
	return i.(*Instance)
}

func guest(t testing.TB, r *Runtime, m hosttest.Module) *Instance {
	t.Helper()
	return instantiate(t, load(t, r, m))
}

// entry makes an entry point of code that leaves an i64.
func entry(name string, code ...[]byte) hosttest.Func {
	return hosttest.Func{Export: name, Params: []byte{hosttest.I32}, Results: []byte{hosttest.I64}, Code: hosttest.Code(code...)}
}

// one is a module of one entry point for messages and one page of memory.
func one(imports []hosttest.Import, data string, code ...[]byte) hosttest.Module {
	return hosttest.Module{
		Imports: imports, Pages: 1, Data: []byte(data),
		Funcs: []hosttest.Func{entry(abi.ExportHookTrigger, code...)},
	}
}

func wasi(name string, params ...byte) hosttest.Import {
	return hosttest.Import{Module: abi.ModuleWASI, Name: name, Params: params, Results: []byte{hosttest.I32}}
}

// output is the result word of the n bytes at ptr.
func output(ptr, n int) []byte { return hosttest.Const64(ptr<<32 | n) }

func invoke(i *Instance, ctx context.Context) (string, error) {
	out, err := i.Call(ctx, &capsule.Invocation{Action: "a", Payload: []byte("p")})
	return string(out), err
}

func wantError(t *testing.T, err error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want one with %q", texts)
		return
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error %q lacks %q", err, text)
		}
	}
}
