package host

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/host/hosttest"
)

// loopOf is a guest that calls its import n times.
func loopOf(i hosttest.Import) []byte {
	code := hosttest.Code(
		[]byte{0x03, 0x40}, hosttest.Call(0), hosttest.Drop, // loop: call, drop
		hosttest.Get(0), hosttest.Const32(1), []byte{0x6b, 0x22, 0x00}, // n-1, local.tee n
		[]byte{0x0d, 0x00, 0x0b}) // br_if, end
	return hosttest.Module{Imports: []hosttest.Import{i}, Pages: 1, Funcs: []hosttest.Func{
		{Export: "loop", Params: []byte{hosttest.I32}, Code: code},
	}}.Bytes()
}

// BenchmarkHostcallPlain compares host functions of class plain, with the gate and all,
// with a bare one of the same type.
func BenchmarkHostcallPlain(b *testing.B) {
	r := newRig(b, rigOptions{})
	ctx := context.Background()
	bare := api.GoFunc(func(_ context.Context, stack []uint64) { stack[0] = 13 })
	_, err := r.rt.NewHostModuleBuilder("bare").NewFunctionBuilder().
		WithGoFunction(bare, nil, []api.ValueType{api.ValueTypeI64}).Export("f").Instantiate(ctx)
	must(b, err)
	c := newCapsule(everythingGrants())
	inst, err := r.host.NewInstance(c, false)
	must(b, err)
	defer inst.Close()
	ctx = Enter(ctx, inst, &Call{Principal: "default", Session: "s1"})
	ns := map[string]float64{}
	for _, i := range []hosttest.Import{
		{Module: "bare", Name: "f", Results: []byte{hosttest.I64}},
		hosttest.Native(abi.SignalReady, 0),
		hosttest.Native(abi.ClockMs, 0),
	} {
		mod, err := r.rt.InstantiateWithConfig(ctx, loopOf(i), wazero.NewModuleConfig().WithName(""))
		must(b, err)
		loop := mod.ExportedFunction("loop")
		// A fixed number of calls, the best of some rounds: one call alone measures nothing.
		const calls, rounds = 200_000, 10
		for range rounds {
			start := time.Now()
			if _, err := loop.Call(ctx, calls); err != nil {
				b.Fatal(err)
			}
			d := float64(time.Since(start).Nanoseconds()) / calls
			if best, ok := ns[i.Name]; !ok || d < best {
				ns[i.Name] = d
			}
		}
		b.ReportMetric(ns[i.Name], "ns/"+i.Name)
	}
	// astrid_signal_ready does nothing here, so that all of its time is the way in and out;
	// a third of astrid_clock_ms is the operating system's clock.
	plain, ref := ns[abi.SignalReady.String()], ns["f"]
	fmt.Printf("BENCH hostcall_plain %.1f ns/op %.1f %.2f\n", plain, ref, plain/ref)
}
