package meter

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
)

// goGuest builds testdata/goguest as a reactor module.
func goGuest(t testing.TB) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "guest.wasm")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-o", out, "./testdata/goguest")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=")
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, msg)
	}
	bin, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

func TestGoGuest(t *testing.T) {
	bin := goGuest(t)
	yields := 0
	plain := instantiate(t, newRuntime(t, compiler, nil), bin)
	metered := instantiate(t, newRuntime(t, compiler, func(context.Context) { yields++ }), rewrite(t, bin))
	want := call(t, plain, "roundtrip", 50)
	if got := call(t, metered, "roundtrip", 50); got[0] != want[0] {
		t.Errorf("metered %x, plain %x", got, want)
	}
	if yields < 10 {
		t.Errorf("%d yields", yields)
	}
	// Traps name the functions they come from: the name section moved along.
	_, err := metered.ExportedFunction("fail").Call(context.Background())
	if err == nil || !strings.Contains(err.Error(), "main.fail") {
		t.Errorf("trap does not name main.fail: %v", err)
	}
}

func TestGoGuestEnds(t *testing.T) {
	deadline := time.Now().Add(time.Hour)
	m := instantiate(t, newRuntime(t, compiler, func(context.Context) {
		if time.Now().After(deadline) {
			panic(errDeadline)
		}
	}), rewrite(t, goGuest(t)))
	deadline = time.Now().Add(20 * time.Millisecond)
	if _, err := m.ExportedFunction("spin").Call(context.Background()); !errors.Is(err, errDeadline) {
		t.Errorf("ended with %v", err)
	}
}

func BenchmarkGoGuest(bench *testing.B) {
	bin := goGuest(bench)
	yields := 0
	out := rewrite(bench, bin)
	plain := instantiate(bench, newRuntime(bench, compiler, nil), bin)
	metered := instantiate(bench, newRuntime(bench, compiler, func(context.Context) { yields++ }), out)
	done := instantiate(bench, newRuntime(bench, wazero.NewRuntimeConfigCompiler().WithCloseOnContextDone(true), nil), bin)
	n := uint64(40)
	call(bench, plain, "roundtrip", n)
	call(bench, metered, "roundtrip", n)
	yields = 0
	p, m := side(func() { call(bench, plain, "roundtrip", n) }, func() { call(bench, metered, "roundtrip", n) })
	d := best(2, func() { call(bench, done, "roundtrip", n) })
	report("meter_go_guest", m, p)
	report("meter_go_guest_close_on_done", m, d)
	bench.ReportMetric(float64(m)/float64(p), "x-plain")
	bench.ReportMetric(float64(m.Nanoseconds())*sideRuns/float64(yields), "ns/yield")
	bench.ReportMetric(float64(len(out))/float64(len(bin)), "x-size")
}
