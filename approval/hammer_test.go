package approval

import (
	"context"
	"errors"
	"sync"
	"testing"
)

// TestGateHammer changes rules, limits and sessions under running calls. Whatever is in force, a hard block holds and
// the workspace's budget is never exceeded.
func TestGateHammer(t *testing.T) {
	r := newRig(t, rigOptions{rules: Rules{Mode: Autonomous, DeniedHosts: builtin("evil.test")}, limits: Limits{WorkspaceMax: 1000}})
	r.Approvals().Attach("alice", func(e Event) {
		err := r.Approvals().Resolve(context.Background(), "alice", e.Request.ID, Decision{Choice: ApproveSession})
		// Another answer or the session's end may have been faster.
		if e.Type == Asked && err != nil && !errors.Is(err, ErrUnknownRequest) {
			t.Error(err)
		}
	})
	ctx := context.Background()
	stop := make(chan struct{})
	var changers, callers sync.WaitGroup
	changers.Go(func() {
		strict, free := mustPolicy(t, Rules{DeniedHosts: builtin("evil.test")}), mustPolicy(t, Rules{Mode: Yolo, DeniedHosts: builtin("evil.test")})
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			must(t, r.SetPolicy(strict))
			must(t, r.SetWorkspace("/ws", &Rules{Mode: Yolo}))
			r.Budgets().SetLimits(Limits{WorkspaceMax: 1000, SessionMax: Micros(n % 3 * 500)})
			must(t, r.SetPolicy(free))
			must(t, r.SetWorkspace("/ws", nil))
			must(t, r.EndSession(ctx, "alice", "s1"))
		}
	})
	for range 4 {
		callers.Go(func() {
			for range 200 {
				a := get("https://good.test/")
				a.CostUSD = 0.000005
				g, err := r.Intercept(ctx, r.subject(), a)
				if err != nil && !errors.Is(err, ErrBudget) && !errors.Is(err, ErrDenied) {
					t.Error(err)
				}
				if err == nil {
					must(t, g.Settle(ctx, Outcome{HasCost: true, CostUSD: 0.000002}))
				}
				if _, err := r.Intercept(ctx, r.subject(), get("https://evil.test/")); !errors.Is(err, ErrDenied) {
					t.Errorf("evil passes: %v", err)
				}
				if _, err := r.Intercept(ctx, r.subject(), Action{Kind: KV, Class: Plain}); err != nil {
					t.Error(err)
				}
				if _, w := r.Budgets().Spent("alice", "s1", "/ws"); w > 1000 {
					t.Errorf("spent %v of %v", w, Micros(1000))
				}
			}
		})
	}
	callers.Wait()
	close(stop)
	changers.Wait()
	if s := r.Stats(); s.Plain != 800 || s.Denied < 800 || s.AuditFailed != 0 {
		t.Errorf("%+v", s)
	}
}
