package wasm

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
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
	mod  api.Module    // nil while it is made
	mem  api.Memory    // nil for a guest without
	lin  *linearMemory // what mem lies in
	fns  map[string]api.Function
	out  *lineWriter
	size int64 // memory last accounted, in bytes
	dead error // why it can run nothing any more
	left bool  // the guest ended itself in good order: it is made anew for the next call

	charged time.Duration // processor time accounted so far
	calls   uint64        // of host functions, accounted so far

	share  *account // what the time is accounted to: the one of sharer, the principal of the call
	sharer string
	wait   time.Duration // how long the guest must wait for its share

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
	if e.extism {
		hi.UseExtism(e.r.memory)
	}
	i := &Instance{e: e, host: hi}
	i.out = &lineWriter{emit: func(line string) { hi.Output(i.ctx, line) }, over: func() error { return context.Cause(i.ctx) }}
	if err := i.start(ctx); err != nil {
		hi.Close()
		return nil, err
	}
	e.usage.instances.Add(1)
	return i, nil
}

// start makes the module and runs what it wants run before the first call.
func (i *Instance) start(ctx context.Context) error {
	e := i.e
	compiled, err := e.module(ctx)
	if err != nil {
		return err
	}
	limit := min(InitDeadline, e.r.opts.CallDeadline)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%w: _initialize took longer than %s", context.DeadlineExceeded, limit))
	defer cancel()
	cfg := wazero.NewModuleConfig().
		WithName(""). // anonymous: many instances of one module live side by side
		WithStartFunctions(e.init...).
		WithStdout(i.out).WithStderr(i.out).
		WithSysWalltime().WithSysNanotime().
		WithNanosleep(i.sleep).
		WithRandSource(random{i, rand.Reader})
	i.mod, i.mem, i.lin, i.fns = nil, nil, nil, make(map[string]api.Function)
	i.enter(ctx, &host.Call{Principal: e.cap.Principal})
	defer func() { i.lin.drop() }()
	mod, err := i.make(compiled, cfg)
	if err == nil && e.hsInit {
		if _, err = mod.ExportedFunction("hs_init").Call(i.ctx, 0, 0); err != nil {
			_ = mod.Close(ctx) // the error says more
		}
	}
	i.leave()
	if err != nil {
		i.lin.Free() // wazero does not where a start function fails
		return fmt.Errorf("capsule %s: instantiate: %w", e.cap.ID, endOf(ctx, err))
	}
	i.mod, i.mem = mod, memoryOf(mod)
	i.account()
	return nil
}

// make instantiates the module, with a memory that is held once.
func (i *Instance) make(compiled wazero.CompiledModule, cfg wazero.ModuleConfig) (mod api.Module, err error) {
	defer func() {
		if r := recover(); r != nil {
			failed, ok := r.(*memoryError)
			if !ok {
				panic(r)
			}
			err = failed
		}
	}()
	return i.e.r.rt.InstantiateModule(experimental.WithMemoryAllocator(i.ctx, allocator(&i.lin)), compiled, cfg)
}

// memoryOf returns a module's memory, or nil if it has none.
func memoryOf(mod api.Module) api.Memory {
	if m := mod.Memory(); m != nil && !reflect.ValueOf(m).IsNil() { // wazero returns a nil of its own type
		return m
	}
	return nil
}

// Call runs one export to its end and returns a copy of its output.
func (i *Instance) Call(ctx context.Context, in *capsule.Invocation) ([]byte, error) {
	export, input := in.Export, in.Payload
	if export == "" {
		export = abi.ExportHookTrigger
		if i.e.extism {
			input = abi.EncodeExtismHookInput(in.Action, in.Payload)
		} else {
			input = abi.EncodeHookInput(in.Action, in.Payload)
		}
	}
	limit := i.e.r.opts.CallDeadline
	lifecycle := export == abi.ExportInstall || export == abi.ExportUpgrade
	if lifecycle {
		limit = abi.LifecycleDeadline
	} else {
		i.e.needed.CompareAndSwap(0, time.Now().UnixNano())
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
	if ctx.Err() != nil { // nothing has begun, so nothing is half done
		return nil, fmt.Errorf("capsule %s: %s: %w", i.e.cap.ID, export, context.Cause(ctx))
	}
	if i.left {
		if err := i.start(ctx); err != nil {
			return nil, i.die(export, err)
		}
		i.left = false
	}
	fn := i.function(export)
	if fn == nil {
		return nil, fmt.Errorf("capsule %s: %w: %s", i.e.cap.ID, capsule.ErrNoExport, export)
	}
	// The guest may end its module, and with it its memory, while a host function still uses it.
	lin := i.lin
	if !lin.hold() {
		return nil, fmt.Errorf("capsule %s: %s: %w: the instance is closed", i.e.cap.ID, export, capsule.ErrInstanceDead)
	}
	defer lin.drop()
	i.enter(ctx, call)
	defer i.leave()
	if i.e.extism {
		return i.callExtism(ctx, export, fn, input)
	}
	return i.callNative(ctx, export, fn, input)
}

func (i *Instance) callNative(ctx context.Context, export string, fn api.Function, input []byte) ([]byte, error) {
	i.host.Park(input)
	res, err := fn.Call(i.ctx, uint64(len(input)))
	if err != nil {
		return nil, i.die(export, endOf(ctx, err))
	}
	ptr, n := uint32(res[0]>>32), uint32(res[0])
	if n == 0 {
		return nil, nil
	}
	if n > abi.MaxValue {
		return nil, i.tooMuch(export, uint64(n))
	}
	b, ok := i.mem.Read(ptr, n)
	if !ok {
		return nil, i.die(export, errors.New("output lies outside its memory"))
	}
	return host.Clone(b), nil
}

func (i *Instance) tooMuch(export string, n uint64) error {
	return fmt.Errorf("capsule %s: %s: output of %d bytes, the limit is %d", i.e.cap.ID, export, n, abi.MaxValue)
}

type instanceKey struct{}

// enter makes the context in which guest code of the call runs. The call's frame is the
// outermost value, because each host function looks it up.
func (i *Instance) enter(ctx context.Context, call *host.Call) {
	i.ctx = host.Enter(context.WithValue(ctx, instanceKey{}, i), i.host, call)
	if i.share == nil || i.sharer != call.Principal {
		i.share, i.sharer = i.e.usage.account(call.Principal), call.Principal
	}
	i.host.Resume()
}

// leave ends what belongs to the call alone.
func (i *Instance) leave() {
	i.host.Pause()
	i.charge()
	i.out.flush()
	i.host.Park(nil)
}

// charge accounts the processor time since it was last accounted to the capsule and the principal, and
// the memory as it is now.
func (i *Instance) charge() {
	if i.mod != nil { // there is none yet while it is instantiated
		i.account()
	}
	used := i.host.CPU()
	i.wait = i.share.spend(used-i.charged, i.e.r.opts.CPUPercent, i.e.r.opts.CPUBurst, time.Now())
	i.charged = used
	if n := i.host.Calls(); n != i.calls {
		i.e.usage.calls.Add(n - i.calls)
		i.calls = n
	}
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
	var trap *host.Trap // of a host function that was blocked
	if ctx.Err() != nil && (errors.As(err, &exit) || errors.As(err, &trap)) {
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
	size := i.host.ExtismSize()
	if i.mem != nil {
		size += int64(i.mem.Size())
	}
	i.e.usage.memory.Add(size - i.size)
	i.size = size
}

// Size is the memory that the guest has, in bytes.
func (i *Instance) Size() int64 { return i.size }

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
	if i.mod == nil { // it could not be made anew
		return nil
	}
	return i.mod.Close(ctx)
}
