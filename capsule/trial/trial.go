package trial

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/host"
	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/capsule/engine/wasm"
	"github.com/unicity-astrid/astrid-go/ipc"
)

// Who the trial pretends to be, and when.
const (
	Principal = "default"
	Session   = "trial"
)

// Clock is the time of every trial.
var Clock = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// Deadline bounds one call.
const Deadline = 30 * time.Second

// Options are what the capsule finds. All may be left out.
type Options struct {
	Config  map[string]string // settings; defaults of the manifest fill in
	Files   map[string]string // of the workspace, by relative path
	KV      map[string]string
	Answers map[string]string // to questions of lifecycle hooks, by key
	Recorded
}

// Trial is a loaded capsule.
type Trial struct {
	manifest *capsule.Manifest
	dir      string
	world    *world
	runtime  *wasm.Runtime
	engine   *wasm.Engine
	instance capsule.Instance
	calls    int
}

// Open loads a capsule: it fails where a daemon would refuse to. Close must follow.
func Open(ctx context.Context, m *capsule.Manifest, binary []byte, o Options) (t *Trial, err error) {
	t = &Trial{manifest: m}
	if err := o.Recorded.check(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.Close())
			t = nil
		}
	}()
	if t.dir, err = os.MkdirTemp("", "astrid-trial-"); err != nil {
		return t, err
	}
	if t.world, err = newWorld(t.dir, o); err != nil {
		return t, err
	}
	env, _, err := m.ResolveEnv(o.Config)
	if err != nil {
		return t, err
	}
	bounds, err := m.Bounds(env)
	if err != nil {
		return t, err
	}
	w := t.world
	h := host.New(host.Services{
		Gate: w, Publisher: w, Bus: w.bus, KV: w.space, Secrets: w, Sockets: w, Identities: w, Asker: w,
		Files: w, Log: w, Directory: w, Processes: w, Transport: w, Now: func() time.Time { return Clock },
	})
	if t.runtime, err = wasm.NewRuntime(ctx, h, wasm.Options{CallDeadline: Deadline, Interpret: true}); err != nil {
		return t, err
	}
	hc := &host.Capsule{ID: m.ID(), SourceID: "00000000-0000-4000-8000-000000000001", Principal: Principal, Bounds: bounds, Config: env}
	for _, ic := range m.Interceptors {
		hc.Interceptors = append(hc.Interceptors, host.AutoSubscription{Topic: ic.Event, Action: ic.Action})
	}
	t.engine, err = t.runtime.Load(wasm.Interruptible(ctx), hc, binary)
	return t, err
}

// Exports tells whether the module has an entry point.
func (t *Trial) Exports(name string) bool { return t.engine.Exports(name) }

// HasRun tells whether the capsule has a run loop.
func (t *Trial) HasRun() bool { return t.engine.HasRun() }

// Call runs the handler of an action and returns what it decided.
func (t *Trial) Call(ctx context.Context, action string, payload []byte) (capsule.Result, error) {
	out, err := t.invoke(ctx, &capsule.Invocation{Action: action, Payload: payload, Principal: Principal, Session: Session,
		Message: &ipc.Message{Topic: "trial.v1." + action, Principal: Principal, Session: Session, SourceID: "00000000-0000-4000-8000-000000000002"}})
	if err != nil {
		return capsule.Result{}, err
	}
	return capsule.DecodeResult(out), nil
}

// Lifecycle runs the install hook, or with a version the upgrade hook from it. A capsule without it is no error.
func (t *Trial) Lifecycle(ctx context.Context, previous string) error {
	in := &capsule.Invocation{Export: abi.ExportInstall, Principal: Principal}
	if previous != "" {
		var err error
		in.Export = abi.ExportUpgrade
		if in.Payload, err = json.Marshal(map[string]string{"prev_version": previous}); err != nil {
			return err
		}
	}
	if !t.Exports(in.Export) {
		return nil
	}
	_, err := t.invoke(ctx, in)
	return err
}

func (t *Trial) invoke(ctx context.Context, in *capsule.Invocation) ([]byte, error) {
	if t.instance == nil {
		i, err := t.engine.Instantiate(ctx)
		if err != nil {
			return nil, err
		}
		t.instance = i
	}
	out, err := t.instance.Call(ctx, in)
	if err != nil { // a guest that failed is not used again
		err = errors.Join(err, t.instance.Close(ctx))
		t.instance = nil
	}
	return out, err
}

// Tool runs a tool and returns the result that it published.
func (t *Trial) Tool(ctx context.Context, name string, args json.RawMessage) (abi.ToolCallResult, error) {
	t.calls++
	id := fmt.Sprint("call-", t.calls)
	if len(args) == 0 {
		args = json.RawMessage("{}")
	}
	payload, err := json.Marshal(abi.ToolExecuteRequest{CallID: id, ToolName: name, Arguments: args})
	if err != nil {
		return abi.ToolCallResult{}, err
	}
	before := len(t.world.published)
	r, err := t.Call(ctx, "tool_execute_"+name, payload)
	if err != nil {
		return abi.ToolCallResult{}, err
	}
	if r.Verdict == capsule.Deny {
		return abi.ToolCallResult{}, fmt.Errorf("tool %s: %s", name, r.Reason)
	}
	for _, m := range t.world.published[before:] {
		var res abi.ToolExecuteResult
		if m.Topic == abi.TopicToolExecutePrefix+name+".result" && json.Unmarshal(m.Payload.Tagged(), &res) == nil && res.CallID == id {
			return res.Result, nil
		}
	}
	return abi.ToolCallResult{}, fmt.Errorf("tool %s published no result", name)
}

// Tools asks the capsule for its tools. One without any has an empty description.
func (t *Trial) Tools(ctx context.Context) (abi.ToolsDescription, error) {
	var d abi.ToolsDescription
	for _, ic := range t.manifest.Interceptors {
		if ic.Action != "tool_describe" {
			continue
		}
		r, err := t.Call(ctx, ic.Action, nil)
		if err == nil && r.Verdict == capsule.Deny {
			err = errors.New(r.Reason)
		}
		if err == nil && len(r.Payload) > 0 {
			err = json.Unmarshal(r.Payload, &d)
		}
		if err != nil {
			return d, fmt.Errorf("tool_describe: %w", err)
		}
		break
	}
	return d, nil
}

// Record is every call of the guest so far, one a line, and what it published and logged.
func (t *Trial) Record() []string { return t.world.record }

// Left says which recorded answers the capsule never asked for.
func (t *Trial) Left() error { return t.world.recorded.left() }

// File reads a file of the workspace.
func (t *Trial) File(name string) (string, error) {
	root, err := os.OpenRoot(filepath.Join(t.dir, "ws"))
	if err != nil {
		return "", err
	}
	defer root.Close()
	b, err := root.ReadFile(name)
	return string(b), err
}

// Close ends the capsule and deletes its files.
func (t *Trial) Close() error {
	ctx := context.Background()
	var errs []error
	if t.instance != nil {
		errs = append(errs, t.instance.Close(ctx))
	}
	if t.engine != nil {
		errs = append(errs, t.engine.Close(ctx))
	}
	if t.runtime != nil {
		errs = append(errs, t.runtime.Close(ctx))
	}
	if t.world != nil {
		t.world.close()
	}
	if t.dir != "" {
		errs = append(errs, os.RemoveAll(t.dir))
	}
	return errors.Join(errs...)
}
