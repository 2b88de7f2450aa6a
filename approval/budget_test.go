package approval

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"
)

func usd(t testing.TB, v float64) Micros {
	t.Helper()
	m, err := FromUSD(v)
	must(t, err)
	return m
}

func budgets(t testing.TB, l Limits, store Store) *Budgets {
	t.Helper()
	b, err := NewBudgets(context.Background(), l, store)
	must(t, err)
	return b
}

var someone = Subject{Principal: "alice", Capsule: "llm", Session: "s1", Workspace: "/ws"}

func TestReserve(t *testing.T) {
	dollars := func(n int64) Micros { return Micros(n * microsPerUSD) }
	for _, tc := range []struct {
		name   string
		limits Limits
		before Micros
		cost   Micros
		scope  string // of the refusal
		avail  Micros
		warn   int // percent, 0 = no warning
	}{
		{"unlimited", Limits{}, dollars(1000), dollars(1000), "", 0, 0},
		{"within", Limits{SessionMax: dollars(100), WarnPercent: 80}, 0, dollars(5), "", 0, 0},
		{"per action", Limits{SessionMax: dollars(100), PerActionMax: dollars(10)}, 0, dollars(15), "per-action", dollars(10), 0},
		{"session", Limits{SessionMax: dollars(100)}, dollars(90), dollars(15), "session", dollars(10), 0},
		{"workspace", Limits{WorkspaceMax: dollars(5)}, 0, dollars(10), "workspace", dollars(5), 0},
		{"warning", Limits{SessionMax: dollars(100), WarnPercent: 80}, dollars(75), dollars(10), "", 0, 85},
		{"just below", Limits{SessionMax: dollars(100), WarnPercent: 80}, dollars(70), dollars(5), "", 0, 0},
		{"warned before", Limits{SessionMax: dollars(100), WarnPercent: 80}, dollars(85), dollars(5), "", 0, 0},
		{"exact", Limits{SessionMax: dollars(10), WarnPercent: 80}, 0, dollars(10), "", 0, 100},
		{"percent clamped", Limits{SessionMax: dollars(10), WarnPercent: 150}, 0, dollars(10), "", 0, 100},
		{"zero cost of an empty budget", Limits{SessionMax: dollars(1)}, dollars(1), 0, "", 0, 0},
		{"nothing left", Limits{SessionMax: dollars(1)}, dollars(1), 1, "session", 0, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ctx := context.Background()
			b := budgets(t, Limits{}, nil)
			if _, err := b.Reserve(ctx, someone, tc.before, 0); err != nil {
				t.Fatal(err)
			}
			b.SetLimits(tc.limits)
			r, err := b.Reserve(ctx, someone, tc.cost, 0)
			session, workspace := b.Spent("alice", "s1", "/ws")
			if tc.scope != "" {
				var over *OverBudget
				if !errors.As(err, &over) || !errors.Is(err, ErrBudget) || over.Scope != tc.scope || over.Available != tc.avail {
					t.Fatalf("got %v", err)
				}
				if session != tc.before || workspace != tc.before {
					t.Errorf("a refused reservation left %v and %v", session, workspace)
				}
				return
			}
			must(t, err)
			if session != tc.before+tc.cost || workspace != tc.before+tc.cost {
				t.Errorf("spent %v and %v", session, workspace)
			}
			if w := r.Warning(); (w == nil) != (tc.warn == 0) || w != nil && w.Percent != tc.warn {
				t.Errorf("warning %+v, want %d%%", w, tc.warn)
			}
		})
	}
}

func TestRefundAndSettleCountOnce(t *testing.T) {
	ctx := context.Background()
	b := budgets(t, Limits{SessionMax: 100}, nil)
	reserve := func(cost, floor Micros) *Reservation {
		r, err := b.Reserve(ctx, someone, cost, floor)
		must(t, err)
		return r
	}
	spent := func() Micros {
		s, w := b.Spent("alice", "s1", "/ws")
		if s != w {
			t.Fatalf("session %v, workspace %v", s, w)
		}
		return s
	}
	r := reserve(40, 0)
	must(t, r.Refund(ctx))
	must(t, r.Refund(ctx))
	if spent() != 0 {
		t.Errorf("after refunds: %v", spent())
	}
	r = reserve(40, 0)
	if n, err := r.Settle(ctx, 25); n != 25 || err != nil {
		t.Error(n, err)
	}
	must(t, r.Refund(ctx))
	if spent() != 25 {
		t.Errorf("after settling: %v", spent())
	}
	r = reserve(5, 10)
	if spent() != 35 {
		t.Errorf("the floor was not reserved: %v", spent())
	}
	if n, _ := r.Settle(ctx, 1); n != 10 {
		t.Errorf("charged %v, the floor is 10", n)
	}
	r = reserve(5, 0)
	if n, _ := r.Settle(ctx, 500); n != 500 || spent() != 535 {
		t.Errorf("an overshoot is counted: %v, %v", n, spent())
	}
	if _, err := b.Reserve(ctx, someone, 1, 0); !errors.Is(err, ErrBudget) {
		t.Error("an overspent budget still gives")
	}
}

func TestBudgetSurvivesRestartAndFailsClosed(t *testing.T) {
	ctx, d := context.Background(), newDisk()
	b := budgets(t, Limits{SessionMax: 100}, d)
	odd := Subject{Principal: "alice", Session: "a/b\x00", Workspace: "/w/s"}
	_, err := b.Reserve(ctx, odd, 60, 0)
	must(t, err)
	b = budgets(t, Limits{SessionMax: 100}, d)
	if s, w := b.Spent("alice", "a/b\x00", "/w/s"); s != 60 || w != 60 {
		t.Errorf("after a restart: %v and %v", s, w)
	}
	d.failWith(errDisk)
	if _, err := b.Reserve(ctx, odd, 10, 0); !errors.Is(err, errDisk) {
		t.Errorf("got %v", err)
	}
	if s, w := b.Spent("alice", "a/b\x00", "/w/s"); s != 60 || w != 60 {
		t.Errorf("an unsaved reservation was kept: %v and %v", s, w)
	}
	d.failWith(nil)
	must(t, b.EndSession(ctx, "alice", "a/b\x00"))
	b = budgets(t, Limits{}, d)
	if s, w := b.Spent("alice", "a/b\x00", "/w/s"); s != 0 || w == 0 {
		t.Errorf("after the session: %v and %v", s, w)
	}
	for key, val := range map[string]string{
		"session/alice/s": `{"spent_micros":-1}`, "session/alice/t": `{`, "other/alice/s": `{}`, "session": `{}`,
	} {
		bad := newDisk()
		bad.vals[budgetPrefix+key] = []byte(val)
		if _, err := NewBudgets(ctx, Limits{}, bad); err == nil {
			t.Errorf("%s %s is accepted", key, val)
		}
	}
}

func TestPrincipalsDoNotShareBudgets(t *testing.T) {
	ctx := context.Background()
	b := budgets(t, Limits{SessionMax: 10, WorkspaceMax: 10}, nil)
	_, err := b.Reserve(ctx, someone, 10, 0)
	must(t, err)
	bob := someone
	bob.Principal = "bob"
	if _, err := b.Reserve(ctx, bob, 10, 0); err != nil {
		t.Errorf("bob pays for alice: %v", err)
	}
}

func TestConcurrentReservationsNeverOverspend(t *testing.T) {
	ctx := context.Background()
	b := budgets(t, Limits{SessionMax: 100, WorkspaceMax: 55}, newDisk())
	var granted atomic.Int64
	var wg sync.WaitGroup
	for n := range 40 {
		wg.Go(func() {
			s := someone
			s.Session = fmt.Sprint("s", n%2)
			if r, err := b.Reserve(ctx, s, 5, 0); err == nil {
				granted.Add(1)
				if n%4 == 0 {
					must(t, r.Refund(ctx))
					granted.Add(-1)
				}
			}
		})
	}
	wg.Wait()
	_, w := b.Spent("alice", "s0", "/ws")
	if w > 55 || w != Micros(5*granted.Load()) {
		t.Errorf("spent %v with %d grants of 5 and a limit of 55", w, granted.Load())
	}
}

// TestBudgetProperties runs random sequences and compares with a plain sum.
func TestBudgetProperties(t *testing.T) {
	ctx := context.Background()
	rapid.Check(t, func(rt *rapid.T) {
		sessionMax := Micros(rapid.Int64Range(1, 1000).Draw(rt, "session max"))
		wsMax := Micros(rapid.Int64Range(1, 1000).Draw(rt, "workspace max"))
		d := newDisk()
		b := budgets(t, Limits{SessionMax: sessionMax, WorkspaceMax: wsMax}, d)
		type held struct {
			r    *Reservation
			cost Micros
			sess string
		}
		var open []held
		perSession := map[string]Micros{}
		total := Micros(0)
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			if len(open) == 0 || rapid.Bool().Draw(rt, "reserve") {
				s := someone
				s.Session = rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "session")
				cost := Micros(rapid.Int64Range(0, 400).Draw(rt, "cost"))
				r, err := b.Reserve(ctx, s, cost, 0)
				fits := perSession[s.Session]+cost <= sessionMax && total+cost <= wsMax
				if cost == 0 {
					fits = true
				}
				if (err == nil) != fits {
					rt.Fatalf("cost %v with %v and %v spent: %v", cost, perSession[s.Session], total, err)
				}
				if err == nil {
					open = append(open, held{r, cost, s.Session})
					perSession[s.Session] += cost
					total += cost
				}
			} else {
				h := open[len(open)-1]
				open = open[:len(open)-1]
				actual := Micros(rapid.Int64Range(0, int64(h.cost)).Draw(rt, "actual"))
				if _, err := h.r.Settle(ctx, actual); err != nil {
					rt.Fatal(err)
				}
				perSession[h.sess] -= h.cost - actual
				total -= h.cost - actual
			}
			for sess, want := range perSession {
				if got, ws := b.Spent("alice", sess, "/ws"); got != want || ws != total || got > sessionMax || ws > wsMax {
					rt.Fatalf("session %s: %v, want %v; workspace %v, want %v", sess, got, want, ws, total)
				}
			}
		}
		again := budgets(t, Limits{}, d)
		if _, ws := again.Spent("alice", "a", "/ws"); ws != total {
			rt.Fatalf("a restart sees %v, want %v", ws, total)
		}
	})
}

func TestMoney(t *testing.T) {
	for in, want := range map[float64]Micros{0: 0, 0.07: 70000, 1: 1_000_000, 1e-9: 1, 0.1 + 0.2: 300000, 123.456789: 123456789} {
		if got := usd(t, in); got != want {
			t.Errorf("%v is %d, want %d", in, got, want)
		}
	}
	for _, in := range []float64{-1, -1e-300, math.NaN(), math.Inf(1), math.Inf(-1), 1e300} {
		if m, err := FromUSD(in); !errors.Is(err, ErrAmount) {
			t.Errorf("%v is accepted as %v", in, m)
		}
	}
	for in, want := range map[Micros]string{0: "$0.00", 1: "$0.000001", 1_500_000: "$1.50", -20000: "-$0.02", 1_230_000: "$1.23"} {
		if in.String() != want {
			t.Errorf("%d is %s, want %s", int64(in), in, want)
		}
	}
}

func TestTariffIsAFloor(t *testing.T) {
	r := newRig(t, rigOptions{rules: Rules{Mode: Autonomous}, limits: Limits{SessionMax: usd(t, 1),
		Tariff: []Tariff{{"api.test", usd(t, 0.10), "c:1"}, {"*.paid.test", usd(t, 0.25), "c:2"}}}})
	ctx := context.Background()
	spent := func() Micros { s, _ := r.Budgets().Spent("alice", "s1", "/ws"); return s }
	// Says nothing about its cost, and then that it was free.
	g, err := r.Intercept(ctx, r.subject(), get("https://API.test.:443/x"))
	must(t, err)
	if spent() != usd(t, 0.10) {
		t.Errorf("reserved %v", spent())
	}
	must(t, g.Settle(ctx, Outcome{HasCost: true}))
	if spent() != usd(t, 0.10) {
		t.Errorf("charged %v", spent())
	}
	g, err = r.Intercept(ctx, r.subject(), get("https://x.paid.test:443/x"))
	must(t, err)
	must(t, g.Settle(ctx, Outcome{Undone: true, Err: errDisk}))
	if spent() != usd(t, 0.10) {
		t.Errorf("a request that never started cost %v", spent())
	}
	g, err = r.Intercept(ctx, r.subject(), get("https://x.paid.test:443/x"))
	must(t, err)
	must(t, g.Settle(ctx, Outcome{CostUSD: 0.5, HasCost: true}))
	must(t, g.Settle(ctx, Outcome{Undone: true})) // only the first counts
	if spent() != usd(t, 0.60) {
		t.Errorf("charged %v", spent())
	}
	if err := g.Settle(ctx, Outcome{}); err != nil {
		t.Error(err)
	}
	if _, err = r.Intercept(ctx, r.subject(), get("https://free.test:443/")); err != nil {
		t.Errorf("a free request needs no budget: %v", err)
	}
}

func TestNonsenseCosts(t *testing.T) {
	r := newRig(t, rigOptions{rules: Rules{Mode: Autonomous}, limits: Limits{SessionMax: usd(t, 1)}})
	ctx := context.Background()
	for _, c := range []float64{-1, math.NaN(), math.Inf(1)} {
		a := get("https://api.test:443/")
		a.CostUSD = c
		if _, err := r.Intercept(ctx, r.subject(), a); !errors.Is(err, ErrBudget) || !errors.Is(err, ErrDenied) {
			t.Errorf("cost %v: %v", c, err)
		}
	}
	a := get("https://api.test:443/")
	a.CostUSD = 0.5
	g, err := r.Intercept(ctx, r.subject(), a)
	must(t, err)
	if err := g.Settle(ctx, Outcome{CostUSD: math.NaN(), HasCost: true}); !errors.Is(err, ErrAmount) {
		t.Errorf("got %v", err)
	}
	if s, _ := r.Budgets().Spent("alice", "s1", "/ws"); s != usd(t, 0.5) {
		t.Errorf("a nonsense figure freed the reservation: %v", s)
	}
}

func TestBudgetWarningReachesTheKernel(t *testing.T) {
	var warned []BudgetWarning
	b := budgets(t, Limits{SessionMax: usd(t, 10), WarnPercent: 50}, nil)
	i, err := New(Options{Auditor: &ledger{}, Budgets: b, Policy: mustPolicy(t, Rules{Mode: Yolo}),
		OnBudgetWarning: func(_ Subject, w BudgetWarning) { warned = append(warned, w) }})
	must(t, err)
	a := get("https://api.test:443/")
	a.CostUSD = 3
	s := someone
	s.Bounds = &bounds{}
	for range 3 {
		_, err := i.Intercept(context.Background(), s, a)
		must(t, err)
	}
	if len(warned) != 1 || warned[0].Scope != "session" || warned[0].Percent != 60 {
		t.Errorf("%+v", warned)
	}
	a.CostUSD = 9
	_, err = i.Intercept(context.Background(), s, a)
	if err == nil || !strings.Contains(err.Error(), "budget exceeded") || !strings.Contains(err.Error(), "$1.00") {
		t.Errorf("%v", err)
	}
}
