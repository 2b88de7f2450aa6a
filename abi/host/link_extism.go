package host

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/unicity-astrid/astrid-go/abi"
)

// extism is what an instance has in the Extism convention.
type extism struct {
	mem   extismMemory
	limit uint64 // bytes that this memory and the guest's own may have together
	spent uint64 // bytes made since the last yield

	// Who is calling, as long as a function of the convention runs.
	ctx context.Context
	f   *frame
	mod api.Module
}

// Trap ends a guest of the Extism convention: there, most functions have no other way to fail.
type Trap struct{ Err *abi.Error }

func (t *Trap) Error() string { return t.Err.Message }
func (t *Trap) Unwrap() error { return t.Err }

func trapf(c abi.Code, format string, args ...any) *Trap {
	return &Trap{abi.Errorf(c, format, args...)}
}

// UseExtism gives the instance the memory of the Extism convention. limit bounds it and the
// guest's own memory together, in bytes.
func (i *Instance) UseExtism(limit int64) { i.extism = &extism{limit: uint64(limit)} }

// ExtismSize is how much Extism memory the instance has, in bytes.
func (i *Instance) ExtismSize() int64 {
	if i.extism == nil {
		return 0
	}
	return int64(i.extism.mem.size())
}

// ExtismInput makes input the input of the call that follows. guest is the size of the guest's own memory.
func (i *Instance) ExtismInput(input []byte, guest uint32) error {
	m := &i.extism.mem
	m.reset()
	if !m.fits(uint64(len(input)), i.extism.left(uint64(guest))) {
		return abi.Errorf(abi.CodeTooLarge, "oom: an input of %d bytes does not fit beside the guest's memory of %d: the limit is %d", len(input), guest, i.extism.limit)
	}
	m.input = extismSpan{m.put(input), uint64(len(input))}
	return nil
}

// ExtismResult returns a copy of what the call set as its output and, if it set an error,
// that. Then it forgets the memory of the call.
func (i *Instance) ExtismResult() (out []byte, failure string) {
	m := &i.extism.mem
	if text, ok := m.bytes(m.err); ok {
		failure = strings.ToValidUTF8(string(text[:min(len(text), maxErrorText)]), "\uFFFD")
	} else if b := m.out(); len(b) > 0 {
		out = Clone(b)
	}
	m.reset()
	i.extism.ctx, i.extism.f, i.extism.mod = nil, nil, nil
	return out, failure
}

// left is how much of the limit the guest's own memory leaves.
func (x *extism) left(guest uint64) uint64 { return x.limit - min(x.limit, guest) }

// extismOf finds the caller of a function of the convention.
func extismOf(ctx context.Context, mod api.Module) *extism {
	f := frameOf(ctx)
	if f == nil || f.inst.extism == nil { // only a defect of the engine gets here
		panic("astrid: Extism function called outside a guest call")
	}
	x := f.inst.extism
	x.ctx, x.f, x.mod = ctx, f, mod
	return x
}

// room makes sure that a block of n bytes can be made: results that the guest has had the time to
// copy make way. Clearing big blocks takes time that no fuel pays for, so it yields.
func (x *extism) room(n uint64) {
	left := x.left(guestSize(x.mod))
	if !x.mem.fits(n, left) {
		x.mem.reclaim(1)
		if !x.mem.fits(n, left) {
			panic(trapf(abi.CodeLimit, "oom: %d more bytes of Extism memory exceed the limit of %d for all of the guest's memory", n, x.limit))
		}
	}
	if x.spent += n; x.spent > 1<<20 {
		x.spent = 0
		x.f.inst.host.yield(x.ctx)
	}
}

// guestSize is the size of a module's own memory; modules of this convention need none.
func guestSize(mod api.Module) uint64 {
	m := mod.Memory()
	if m == nil || reflect.ValueOf(m).IsNil() { // wazero returns a nil of its own type
		return 0
	}
	return uint64(m.Size())
}

// LinkExtism instantiates the modules of the Extism convention in r. yield is called by functions
// that take long; it ends the guest by panicking.
func (h *Host) LinkExtism(ctx context.Context, r wazero.Runtime, yield func(context.Context)) error {
	h.yield = yield
	env := r.NewHostModuleBuilder(abi.ModuleExtismEnv)
	for name, fn := range extismEnv {
		env.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(ctx context.Context, mod api.Module, stack []uint64) {
			fn.do(extismOf(ctx, mod), stack)
		}), fn.params, fn.results).Export(name)
	}
	if _, err := env.Instantiate(ctx); err != nil {
		return fmt.Errorf("%s: %w", abi.ModuleExtismEnv, err)
	}
	user := r.NewHostModuleBuilder(abi.ModuleExtismUser)
	for fn := abi.Function(0); fn < abi.FunctionCount; fn++ {
		params := make([]api.ValueType, len(h.table[fn].params))
		for i := range params {
			params[i] = vI64
		}
		results := oneI64
		if extismReturns[fn] == returnsNothing {
			results = none
		}
		user.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(ctx context.Context, mod api.Module, stack []uint64) {
			x := extismOf(ctx, mod)
			if off := h.extismInvoke(x, fn, stack[:len(params)]); len(results) > 0 {
				stack[0] = off
			}
		}), params, results).Export(fn.String())
	}
	if _, err := user.Instantiate(ctx); err != nil {
		return fmt.Errorf("%s: %w", abi.ModuleExtismUser, err)
	}
	if err := h.linkShim(ctx, r); err != nil {
		return fmt.Errorf("%s: %w", abi.ModuleShim, err)
	}
	return nil
}

// linkShim serves QuickJS capsules, which call host functions by their number in the table.
func (h *Host) linkShim(ctx context.Context, r wazero.Runtime) error {
	const isVoid, isI64 = 0, 2
	known := func(w uint64) bool { return uint32(w) < uint32(abi.FunctionCount) }
	twoI32 := []api.ValueType{vI32, vI32}
	_, err := r.NewHostModuleBuilder(abi.ModuleShim).
		NewFunctionBuilder().
		WithGoFunction(api.GoFunc(func(_ context.Context, s []uint64) {
			fn, arg := s[0], uint32(s[1])
			s[0] = isVoid
			if known(fn) && arg < uint32(len(h.table[uint32(fn)].params)) {
				s[0] = isI64
			}
		}), twoI32, oneI32).
		Export("__get_function_arg_type").
		NewFunctionBuilder().
		WithGoFunction(api.GoFunc(func(_ context.Context, s []uint64) {
			fn := s[0]
			s[0] = isVoid
			if known(fn) && extismReturns[uint32(fn)] != returnsNothing {
				s[0] = isI64
			}
		}), oneI32, oneI32).
		Export("__get_function_return_type").
		NewFunctionBuilder().
		WithGoModuleFunction(api.GoModuleFunc(func(ctx context.Context, mod api.Module, s []uint64) {
			fn := s[0]
			if !known(fn) {
				s[0] = 0
				return
			}
			n := len(h.table[uint32(fn)].params)
			s[0] = h.extismInvoke(extismOf(ctx, mod), abi.Function(fn), s[1:1+n])
		}), []api.ValueType{vI32, vI64, vI64, vI64, vI64, vI64}, oneI64).
		Export("__invokeHostFunc").
		Instantiate(ctx)
	return err
}

// extismReturn says how a function answers.
type extismReturn uint8

const (
	returnsBytes   extismReturn = iota // errors trap
	returnsNothing                     // no result at all; errors trap
	returnsStatus                      // a byte before the result: 0 success, 1 the rest is an error's text
)

// extismReturns differs from function to function for no reason but that v0.5.0 does it so.
var extismReturns = [abi.FunctionCount]extismReturn{
	abi.FsExists: returnsStatus, abi.FsReaddir: returnsStatus, abi.FsStat: returnsStatus, abi.ReadFile: returnsStatus,
	abi.KvGet: returnsStatus, abi.KvListKeys: returnsStatus, abi.KvClearPrefix: returnsStatus,

	abi.FsMkdir: returnsNothing, abi.FsUnlink: returnsNothing, abi.WriteFile: returnsNothing,
	abi.IpcPublish: returnsNothing, abi.IpcUnsubscribe: returnsNothing, abi.KvSet: returnsNothing, abi.KvDelete: returnsNothing,
	abi.Log: returnsNothing, abi.NetWrite: returnsNothing, abi.SignalReady: returnsNothing, abi.NetCloseStream: returnsNothing,
	abi.HTTPStreamClose: returnsNothing,
}

// extismInvoke runs one row in the Extism convention. It returns the offset of the result, or 0.
func (h *Host) extismInvoke(x *extism, fn abi.Function, handles []uint64) uint64 {
	args := x.f.inst.args[:len(handles)]
	clear(args)
	defer clear(args)
	for i, p := range h.table[fn].params {
		off := handles[i]
		if off == 0 {
			continue
		}
		b, ok := x.mem.bytes(off)
		if !ok {
			panic(trapf(abi.CodeInvalid, "%s: invalid memory offset: I64(%d)", fn, int64(off)))
		}
		if len(b) > p.max {
			panic(trapf(abi.CodeTooLarge, "%s: %s: memory allocation of %d bytes exceeds maximum allowed limit of %d bytes", fn, p.name, len(b), p.max))
		}
		x.mem.renew(off)
		args[i] = b
	}
	if (fn == abi.KvListKeys || fn == abi.KvClearPrefix) && !utf8.Valid(args[0]) {
		panic(trapf(abi.CodeInvalid, "%s: prefix is not valid UTF-8", fn))
	}
	out, e := h.invoke(x.ctx, x.f, fn, args)
	if h.table[fn].works() && x.ctx.Err() != nil {
		h.yield(x.ctx)
	}
	switch extismReturns[fn] {
	case returnsNothing:
		if e != nil {
			panic(&Trap{e})
		}
		return 0
	case returnsStatus:
		if e != nil {
			return x.result(1, []byte(errorText(e)))
		}
		return x.result(0, out)
	}
	if e != nil {
		if out = identityFailure(fn, e); out == nil {
			panic(&Trap{e})
		}
	}
	x.room(uint64(len(out)))
	off := x.mem.put(out)
	x.mem.made(off)
	return off
}

// result makes the block of a function that answers with a status byte.
func (x *extism) result(status byte, b []byte) uint64 {
	x.room(uint64(len(b)) + 1)
	off := x.mem.alloc(uint64(len(b)) + 1)
	block, _ := x.mem.bytes(off)
	block[0] = status
	move(block[1:], b)
	x.mem.made(off)
	return off
}

// identityFailure is how the identity functions tell of errors other than unreadable requests:
// inside of their answer.
func identityFailure(fn abi.Function, e *abi.Error) []byte {
	found := "ok"
	switch fn {
	case abi.IdentityResolve:
		found = "found"
	case abi.IdentityLink, abi.IdentityUnlink, abi.IdentityCreateUser, abi.IdentityListLinks:
	default:
		return nil
	}
	if e.Code == abi.CodeInternal || e.Code == abi.CodeInvalid && strings.Contains(e.Message, " request: ") {
		return nil
	}
	text := errorText(e)
	if !strings.HasPrefix(text, "invalid UUID") { // that is found before the store is asked
		text = "storage error: " + text
	}
	out, err := encode(map[string]any{found: false, "error": text})
	if err != nil {
		return nil
	}
	return out
}
