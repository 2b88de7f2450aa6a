package wasm

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/host"
	"github.com/unicity-astrid/astrid-go/capsule"
)

var (
	_ capsule.Engine   = (*Engine)(nil)
	_ capsule.Instance = (*Instance)(nil)
)

// Instance is one running guest. Calls must not overlap.
type Instance struct {
	e    *Engine
	host *host.Instance
	mod  api.Module
	fns  map[string]api.Function
	size int64 // memory last accounted, in bytes

	// ctx is the context of the running guest code, for WASI calls, which get none.
	ctx context.Context
}

// Instantiate makes a new instance: it runs the start function and _initialize.
func (e *Engine) Instantiate(ctx context.Context) (capsule.Instance, error) {
	hi, err := e.r.host.NewInstance(e.cap, e.hasRun)
	if err != nil {
		return nil, err
	}
	i := &Instance{e: e, host: hi, fns: make(map[string]api.Function)}
	ctx, cancel := context.WithTimeoutCause(ctx, InitDeadline, fmt.Errorf("_initialize took longer than %s", InitDeadline))
	defer cancel()
	out := &lineWriter{emit: hi.Output}
	cfg := wazero.NewModuleConfig().
		WithName(""). // anonymous: many instances of one module live side by side
		WithStartFunctions("_initialize").
		WithStdout(out).WithStderr(out).
		WithSysWalltime().WithSysNanotime().
		WithNanosleep(i.sleep).
		WithRandSource(rand.Reader)
	i.ctx = host.Enter(ctx, hi, &host.Call{Principal: e.cap.Principal})
	start := time.Now()
	mod, err := e.r.rt.InstantiateModule(i.ctx, e.compiled, cfg)
	e.usage.cpu.Add(int64(time.Since(start) - hi.HostTime()))
	if err != nil {
		hi.Close()
		return nil, fmt.Errorf("capsule %s: instantiate: %w", e.cap.ID, endOf(ctx, err))
	}
	i.mod = mod
	e.usage.instances.Add(1)
	i.account()
	return i, nil
}

// Call runs one export to its end and returns a copy of its output.
func (i *Instance) Call(ctx context.Context, in *capsule.Invocation) ([]byte, error) {
	export, input := in.Export, in.Payload
	if export == "" {
		export = abi.ExportHookTrigger
		input = abi.EncodeHookInput(in.Action, in.Payload)
	}
	limit := i.e.r.opts.CallDeadline
	lifecycle := export == abi.ExportInstall || export == abi.ExportUpgrade
	if lifecycle {
		limit = abi.LifecycleDeadline
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%w: the call took longer than %s", context.DeadlineExceeded, limit))
	defer cancel()
	principal := in.Principal
	if principal == "" {
		principal = i.e.cap.Principal
	}
	return i.run(ctx, export, input, &host.Call{
		Principal: principal, Session: in.Session, Message: in.Message, Chain: in.Chain, Lifecycle: lifecycle,
	})
}

// Run runs the capsule's run loop until it returns or ctx is done.
func (i *Instance) Run(ctx context.Context) error {
	_, err := i.run(ctx, abi.ExportRun, nil, &host.Call{Principal: i.e.cap.Principal})
	return err
}

func (i *Instance) run(ctx context.Context, export string, input []byte, call *host.Call) ([]byte, error) {
	fn := i.function(export)
	if fn == nil {
		return nil, fmt.Errorf("capsule %s: %w: %s", i.e.cap.ID, capsule.ErrNoExport, export)
	}
	i.ctx = host.Enter(ctx, i.host, call)
	i.host.Park(input)
	start, hosted := time.Now(), i.host.HostTime()
	res, err := fn.Call(i.ctx, uint64(len(input)))
	i.e.usage.cpu.Add(int64(time.Since(start) - (i.host.HostTime() - hosted)))
	i.account()
	if err != nil {
		return nil, fmt.Errorf("capsule %s: %s: %w: %w", i.e.cap.ID, export, capsule.ErrInstanceDead, endOf(ctx, err))
	}
	ptr, n := uint32(res[0]>>32), uint32(res[0])
	if n == 0 {
		return nil, nil
	}
	if n > abi.MaxValue {
		return nil, fmt.Errorf("capsule %s: %s: output of %d bytes, the limit is %d", i.e.cap.ID, export, n, abi.MaxValue)
	}
	b, ok := i.mod.Memory().Read(ptr, n)
	if !ok {
		return nil, fmt.Errorf("capsule %s: %s: %w: output lies outside its memory", i.e.cap.ID, export, capsule.ErrInstanceDead)
	}
	return append([]byte(nil), b...), nil
}

// endOf says why guest code ended: the context's cause if that is what ended it.
func endOf(ctx context.Context, err error) error {
	var e *ended
	if errors.As(err, &e) {
		return e
	}
	var exit *sys.ExitError
	if errors.As(err, &exit) && ctx.Err() != nil {
		return &ended{context.Cause(ctx)}
	}
	return err
}

func (i *Instance) function(name string) api.Function {
	fn, ok := i.fns[name]
	if !ok {
		fn = i.mod.ExportedFunction(name)
		i.fns[name] = fn
	}
	return fn
}

// account updates the capsule's memory figure after a call.
func (i *Instance) account() {
	size := int64(i.mod.Memory().Size())
	i.e.usage.memory.Add(size - i.size)
	i.size = size
}

// sleep is WASI's poll_oneoff with a clock: it ends with the call.
func (i *Instance) sleep(ns int64) {
	defer i.host.Blocked()()
	t := time.NewTimer(time.Duration(ns))
	defer t.Stop()
	select {
	case <-t.C:
	case <-i.ctx.Done():
	}
}

// Close releases the guest and all it has open. It must not run beside a call: cancel
// the call's context and wait for it first.
func (i *Instance) Close(ctx context.Context) error {
	i.host.Close()
	i.e.usage.memory.Add(-i.size)
	i.e.usage.instances.Add(-1)
	i.size = 0
	return i.mod.Close(ctx)
}
