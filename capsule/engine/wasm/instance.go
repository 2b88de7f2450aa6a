package wasm

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
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
	out  *lineWriter
	size int64 // memory last accounted, in bytes
	dead error // why it can run nothing any more

	// Until when CPU time was accounted, and how long the guest had waited in host
	// functions by then.
	charged time.Time
	waited  time.Duration

	closed bool

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
	ctx, cancel := context.WithTimeoutCause(ctx, InitDeadline, fmt.Errorf("%w: _initialize took longer than %s", context.DeadlineExceeded, InitDeadline))
	defer cancel()
	i.out = &lineWriter{emit: func(line string) { hi.Output(i.ctx, line) }}
	cfg := wazero.NewModuleConfig().
		WithName(""). // anonymous: many instances of one module live side by side
		WithStartFunctions("_initialize").
		WithStdout(i.out).WithStderr(i.out).
		WithSysWalltime().WithSysNanotime().
		WithNanosleep(i.sleep).
		WithRandSource(rand.Reader)
	i.enter(ctx, &host.Call{Principal: e.cap.Principal})
	mod, err := e.r.rt.InstantiateModule(i.ctx, e.compiled, cfg)
	i.leave()
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
	if i.dead != nil {
		return nil, i.dead
	}
	fn := i.function(export)
	if fn == nil {
		return nil, fmt.Errorf("capsule %s: %w: %s", i.e.cap.ID, capsule.ErrNoExport, export)
	}
	if ctx.Err() != nil { // nothing has begun, so nothing is half done
		return nil, fmt.Errorf("capsule %s: %s: %w", i.e.cap.ID, export, context.Cause(ctx))
	}
	i.enter(ctx, call)
	i.host.Park(input)
	res, err := fn.Call(i.ctx, uint64(len(input)))
	i.leave()
	if err != nil {
		return nil, i.die(export, endOf(ctx, err))
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
		return nil, i.die(export, errors.New("output lies outside its memory"))
	}
	return append([]byte(nil), b...), nil
}

type instanceKey struct{}

// enter makes the context in which guest code of the call runs. The call's frame is the
// outermost value, because each host function looks it up.
func (i *Instance) enter(ctx context.Context, call *host.Call) {
	i.ctx = host.Enter(context.WithValue(ctx, instanceKey{}, i), i.host, call)
	i.charged, i.waited = time.Now(), i.host.HostTime()
}

// leave ends what belongs to the call alone.
func (i *Instance) leave() {
	i.charge()
	i.out.flush()
	i.host.Park(nil)
}

// charge accounts the time since it was last accounted to the capsule, without waits, and
// the memory as it is now.
func (i *Instance) charge() {
	if i.mod != nil { // there is none yet while it is instantiated
		i.account()
	}
	now, waited := time.Now(), i.host.HostTime()
	i.e.usage.cpu.Add(int64(now.Sub(i.charged) - (waited - i.waited)))
	i.charged, i.waited = now, waited
}

// die makes err the end of the instance.
func (i *Instance) die(export string, err error) error {
	i.dead = fmt.Errorf("capsule %s: %s: %w: %w", i.e.cap.ID, export, capsule.ErrInstanceDead, err)
	return i.dead
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

// function finds an entry point: other exports are none of the kernel's business, and
// their types were not checked.
func (i *Instance) function(name string) api.Function {
	if !slices.Contains(entryPoints, name) {
		return nil
	}
	fn, ok := i.fns[name]
	if !ok {
		fn = i.mod.ExportedFunction(name)
		i.fns[name] = fn
	}
	return fn
}

// account updates the capsule's memory figure.
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
	if i.closed {
		return nil
	}
	i.closed = true
	i.host.Close()
	i.e.usage.memory.Add(-i.size)
	i.e.usage.instances.Add(-1)
	i.size = 0
	return i.mod.Close(ctx)
}
