package host

import (
	"context"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/unicity-astrid/astrid-go/abi"
)

// maxErrorText bounds the error message a guest is given, in bytes.
const maxErrorText = 16 << 10

// LinkNative instantiates the modules "astrid" and "astrid_link" in r. yield is
// called by metered guests at least every millisecond; it ends the guest by panicking.
func (h *Host) LinkNative(ctx context.Context, r wazero.Runtime, yield func(context.Context)) error {
	b := r.NewHostModuleBuilder(abi.ModuleNative)
	for fn := abi.Function(0); fn < abi.FunctionCount; fn++ {
		types := make([]api.ValueType, 2*len(h.table[fn].params))
		for i := range types {
			types[i] = api.ValueTypeI32
		}
		b.NewFunctionBuilder().
			WithGoModuleFunction(h.nativeFunc(fn, yield), types, []api.ValueType{api.ValueTypeI64}).
			Export(fn.String())
	}
	if _, err := b.Instantiate(ctx); err != nil {
		return err
	}
	_, err := r.NewHostModuleBuilder(abi.ModuleLink).
		NewFunctionBuilder().
		WithGoModuleFunction(api.GoModuleFunc(take), []api.ValueType{api.ValueTypeI32, api.ValueTypeI32}, []api.ValueType{api.ValueTypeI32}).
		Export(abi.LinkTake).
		NewFunctionBuilder().
		WithGoFunction(api.GoFunc(func(ctx context.Context, _ []uint64) { yield(ctx) }), nil, nil).
		Export(abi.LinkYield).
		Instantiate(ctx)
	return err
}

// nativeFunc adapts one row to the native convention.
func (h *Host) nativeFunc(fn abi.Function, yield func(context.Context)) api.GoModuleFunc {
	params, works := h.table[fn].params, h.table[fn].works()
	return func(ctx context.Context, mod api.Module, stack []uint64) {
		f := frameOf(ctx)
		if f == nil { // no call is running: only a defect of the engine gets here
			panic("astrid: host function called outside a guest call")
		}
		// The slices alias guest memory. The guest stands still until we return,
		// so they are stable; whatever outlives the call must be copied.
		args := f.inst.args[:len(params)]
		clear(args)
		for i, p := range params {
			ptr, n := uint32(stack[2*i]), uint32(stack[2*i+1])
			if uint64(n) > uint64(p.max) {
				stack[0] = f.inst.fail(abi.Errorf(abi.CodeTooLarge, "%s: %s is %d bytes, the limit is %d", fn, p.name, n, p.max))
				return
			}
			if n == 0 {
				continue
			}
			b, ok := mod.Memory().Read(ptr, n)
			if !ok {
				stack[0] = f.inst.fail(abi.Errorf(abi.CodeInvalid, "%s: %s [%d, %d+%d) lies outside the guest's memory", fn, p.name, ptr, ptr, n))
				return
			}
			args[i] = b
		}
		out, e := h.invoke(ctx, f, fn, args)
		clear(args)
		if works && ctx.Err() != nil {
			// Fuel pays for instructions, not for what we do: a guest whose time is up could make a thousand
			// slow calls before it yields by itself.
			yield(ctx)
		}
		if e != nil {
			stack[0] = f.inst.fail(e)
			return
		}
		f.inst.parked = out
		stack[0] = uint64(len(out))
	}
}

// fail parks the message of e and returns the result word for it.
func (i *Instance) fail(e *abi.Error) uint64 {
	msg := errorText(e)
	i.parked = []byte(msg)
	return uint64(e.Code)<<32 | uint64(len(msg))
}

// errorText is the text of e as a guest may have it.
func errorText(e *abi.Error) string {
	msg := e.Message
	if len(msg) > maxErrorText {
		msg = msg[:maxErrorText]
	}
	return strings.ToValidUTF8(msg, "\uFFFD") // a cut rune, or bytes that a lower layer quoted
}

// take copies what is parked into guest memory and forgets it. A buffer that does not
// fit gets nothing, and the parked bytes stay for a second try.
func take(ctx context.Context, mod api.Module, stack []uint64) {
	f := frameOf(ctx)
	ptr, limit := uint32(stack[0]), uint32(stack[1])
	stack[0] = 0
	if f == nil || len(f.inst.parked) == 0 || uint64(len(f.inst.parked)) > uint64(limit) {
		return
	}
	if to, ok := mod.Memory().Read(ptr, uint32(len(f.inst.parked))); ok {
		move(to, f.inst.parked)
		stack[0] = uint64(len(f.inst.parked))
		f.inst.parked = nil
	}
}
