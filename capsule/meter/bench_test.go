package meter

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
)

// hotLoop sums 0..n-1 in the tightest loop there is.
func hotLoop() []byte {
	return wasm{start: -1, funcs: []fn{{
		params: []byte{i64}, results: []byte{i64}, locals: b(1, 1, i64), export: "run",
		code: b(0x03, 0x40,
			0x20, 1, 0x20, 0, 0x7c, 0x21, 1, // sum += n
			0x20, 0, 0x42, 1, 0x7d, 0x22, 0, // n--
			0x50, 0x45, 0x0d, 0, // br_if n != 0
			0x0b, 0x20, 1),
	}}}.bytes()
}

// best returns the shortest of several runs of f.
func best(runs int, f func()) time.Duration {
	d := time.Duration(1 << 62)
	for range runs {
		t := time.Now()
		f()
		d = min(d, time.Since(t))
	}
	return d
}

const sideRuns = 60

// side returns the shortest run of each of two functions, which take turns, so
// that a slow spell of the machine hits both.
func side(a, b func()) (da, db time.Duration) {
	da, db = 1<<62, 1<<62
	for range sideRuns {
		da, db = min(da, best(1, a)), min(db, best(1, b))
	}
	return da, db
}

func report(name string, v, ref time.Duration) {
	fmt.Printf("BENCH %s %d ns %d %.3f\n", name, v.Nanoseconds(), ref.Nanoseconds(), float64(v)/float64(ref))
}

func BenchmarkHotLoop(bench *testing.B) {
	yields := 0
	n := uint64(5_000_000)
	plain := instantiate(bench, newRuntime(bench, compiler, nil), hotLoop())
	metered := instantiate(bench, newRuntime(bench, compiler, func(context.Context) { yields++ }), rewrite(bench, hotLoop()))
	done := instantiate(bench, newRuntime(bench, wazero.NewRuntimeConfigCompiler().WithCloseOnContextDone(true), nil), hotLoop())
	p, m := side(func() { call(bench, plain, "run", n) }, func() { call(bench, metered, "run", n) })
	perYield := float64(m.Nanoseconds()) * sideRuns / float64(yields)
	d := best(5, func() { call(bench, done, "run", n) })
	report("meter_hot_loop", m, p)
	report("meter_hot_loop_close_on_done", m, d)
	bench.ReportMetric(float64(m)/float64(p), "x-plain")
	bench.ReportMetric(float64(d)/float64(m), "x-faster-than-done")
	bench.ReportMetric(perYield, "ns/yield")
}

// BenchmarkYield measures a yield by making each round of a loop yield, once
// into a host function that does nothing and once with what a real one does.
func BenchmarkYield(bench *testing.B) {
	bin, err := Rewrite(hotLoop(), Options{quantum: 1})
	if err != nil {
		bench.Fatal(err)
	}
	const n = 200_000
	bare := instantiate(bench, newRuntime(bench, compiler, func(context.Context) {}), bin)
	var clock time.Time // what a host reads at each yield
	real := instantiate(bench, newRuntime(bench, compiler, func(context.Context) {
		clock = time.Now()
		runtime.Gosched()
	}), bin)
	b, r := side(func() { call(bench, bare, "run", n) }, func() { call(bench, real, "run", n) })
	bench.ReportMetric(float64(b.Nanoseconds())/n, "ns/bare-yield")
	bench.ReportMetric(float64(r.Nanoseconds())/n, "ns/yield")
	if clock.IsZero() {
		bench.Fatal("the guest never yielded")
	}
}
