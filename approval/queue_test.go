package approval

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// deferred runs an action that nobody answers for and returns its request id.
func (r *rig) deferred(a Action) string {
	r.t.Helper()
	_, err := r.Intercept(context.Background(), r.subject(), a)
	var d *Denial
	if !errors.As(err, &d) || !errors.Is(err, ErrDeferred) || d.RequestID == "" {
		r.t.Fatalf("not deferred: %v", err)
	}
	return d.RequestID
}

// TestQueuedApprovalRunsOnce: also after a restart, and only for what was asked.
func TestQueuedApprovalRunsOnce(t *testing.T) {
	for _, restart := range []bool{false, true} {
		d := newDisk()
		r := newRig(t, rigOptions{disk: d})
		ctx := context.Background()
		a := get("https://a.test:443/pay")
		id := r.deferred(a)
		if restart {
			r = newRig(t, rigOptions{disk: d})
		}
		must(t, r.Approvals().Resolve(ctx, "alice", id, Decision{Choice: ApproveOnce}))
		if restart {
			r = newRig(t, rigOptions{disk: d})
		}
		if n := len(r.Approvals().Pending("alice")); n != 0 {
			t.Errorf("%d still queued", n)
		}
		refused := func(name string, s Subject, a Action) {
			t.Helper()
			if _, err := r.Intercept(ctx, s, a); err == nil {
				t.Errorf("restart %v: %s passes", restart, name)
			}
		}
		s := r.subject()
		s.Capsule = "other"
		refused("another capsule", s, a)
		s = r.subject()
		s.Principal = "bob"
		refused("another principal", s, a)
		s = r.subject()
		s.Session = "s2"
		refused("another session", s, a)
		refused("another path", r.subject(), get("https://a.test:443/pay/more"))
		post := a
		post.Method = "POST"
		refused("another method", r.subject(), post)
		g, err := r.Intercept(ctx, r.subject(), a)
		if err != nil || g.Proof() != "allowance:"+id {
			t.Fatalf("restart %v: %v", restart, err)
		}
		refused("a second time", r.subject(), a)
	}
}

func TestQueuedAnswersGrantWhatTheySay(t *testing.T) {
	for _, tc := range []struct {
		d       Decision
		again   bool // a second call of the same kind passes
		granted string
	}{
		{Decision{Choice: ApproveOnce}, false, "once GET net:https://a.test:443/x"},
		{Decision{Choice: ApproveSession}, true, "session net:https://a.test:443/**"},
		{Decision{Choice: ApproveWorkspace}, true, "workspace net:https://a.test:443/**"},
		{Decision{Choice: ApproveAlways}, true, "always net:https://a.test:443/**"},
		{Decision{Choice: ApprovePattern, MaxUses: 1, Pattern: &Pattern{Type: NetworkHost, Host: "a.test"}}, false, "session net:a.test:*"},
	} {
		r := newRig(t, rigOptions{})
		ctx := context.Background()
		a := get("https://a.test/x")
		id := r.deferred(a)
		must(t, r.Approvals().Resolve(ctx, "alice", id, tc.d))
		records := r.log.all()
		last := records[len(records)-1]
		if len(records) != 2 || !last.Allowed || last.Granted != tc.granted || last.RequestID != id || last.Proof != "user:"+id {
			t.Errorf("%s: %+v", tc.d.Choice, last)
		}
		if _, err := r.Intercept(ctx, r.subject(), a); err != nil {
			t.Errorf("%s: %v", tc.d.Choice, err)
		}
		if _, err := r.Intercept(ctx, r.subject(), a); (err == nil) != tc.again {
			t.Errorf("%s, again: %v", tc.d.Choice, err)
		}
	}
}

func TestQueuedDenial(t *testing.T) {
	d := newDisk()
	r := newRig(t, rigOptions{disk: d})
	id := r.deferred(write("/data/a"))
	c := attach(r.Approvals(), "alice")
	if q := c.of(Queued); len(q) != 1 || q[0].ID != id {
		t.Errorf("on attach: %+v", q)
	}
	must(t, r.Approvals().Resolve(context.Background(), "alice", id, Decision{Choice: Deny, Feedback: "no"}))
	if err := r.Approvals().Resolve(context.Background(), "alice", id, Decision{Choice: ApproveOnce}); !errors.Is(err, ErrUnknownRequest) {
		t.Errorf("answered twice: %v", err)
	}
	if w := c.of(Withdrawn); len(w) != 1 {
		t.Errorf("%+v", w)
	}
	last := r.log.all()[1]
	if last.Allowed || !strings.HasSuffix(last.Reason, "no") || len(d.vals) != 0 {
		t.Errorf("%+v; stored: %v", last, d.vals)
	}
}

func TestSameActionIsQueuedOnce(t *testing.T) {
	r := newRig(t, rigOptions{manager: ManagerOptions{MaxQueued: 4}})
	id := r.deferred(write("/data/a"))
	if again := r.deferred(write("/data/a")); again != id {
		t.Error("the same action waits twice")
	}
	if r.deferred(write("/data/b")) == id {
		t.Error("another action got the same id")
	}
	_, err := r.Intercept(context.Background(), r.subject(), write("/data/c"))
	if !errors.Is(err, ErrDenied) || !strings.Contains(err.Error(), "queue is full") {
		t.Errorf("%v", err)
	}
	s := r.subject()
	s.Capsule = "web"
	if _, err := r.Intercept(context.Background(), s, write("/data/c")); !errors.Is(err, ErrDeferred) {
		t.Errorf("one capsule filled the queue of all: %v", err)
	}
	if n := len(r.log.all()); n != 5 {
		t.Errorf("%d entries, want one per call", n)
	}
}

func TestQueueFailsClosed(t *testing.T) {
	d := newDisk()
	r := newRig(t, rigOptions{disk: d})
	d.failWith(errDisk)
	if _, err := r.Intercept(context.Background(), r.subject(), write("/data/a")); !errors.Is(err, ErrDenied) || errors.Is(err, ErrDeferred) {
		t.Errorf("store fails: %v", err)
	}
	d.failWith(nil)
	r.log.failWith(errDisk)
	if _, err := r.Intercept(context.Background(), r.subject(), write("/data/a")); !errors.Is(err, ErrAuditFailed) {
		t.Errorf("audit fails: %v", err)
	}
	if len(d.vals) != 0 || len(r.Approvals().Pending("alice")) != 0 {
		t.Errorf("an unrecorded request is queued: %v", d.vals)
	}
	r.log.failWith(nil)
	id := r.deferred(write("/data/a"))
	r.log.failWith(errDisk)
	err := r.Approvals().Resolve(context.Background(), "alice", id, Decision{Choice: ApproveOnce})
	if !errors.Is(err, ErrAuditFailed) || len(r.Allowances().List("alice")) != 0 {
		t.Errorf("an unrecorded answer grants: %v", err)
	}
	r.log.failWith(nil)
	must(t, r.Approvals().Resolve(context.Background(), "alice", id, Decision{Choice: ApproveOnce}))
}

func TestQueueAge(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	d := newDisk()
	o := rigOptions{disk: d, manager: ManagerOptions{KeepFor: time.Hour, Now: func() time.Time { return now }}}
	r := newRig(t, o)
	id := r.deferred(write("/data/a"))
	now = now.Add(59 * time.Minute)
	if len(newRig(t, o).Approvals().Pending("alice")) != 1 {
		t.Error("dropped too early")
	}
	now = now.Add(time.Minute)
	if n := len(r.Approvals().Pending("alice")); n != 0 {
		t.Errorf("%d after an hour", n)
	}
	if err := r.Approvals().Resolve(context.Background(), "alice", id, Decision{Choice: ApproveOnce}); !errors.Is(err, ErrUnknownRequest) {
		t.Errorf("%v", err)
	}
	d.vals[deferredPrefix+"x"] = []byte("{}")
	if _, err := NewManager(context.Background(), ManagerOptions{Store: d}); err == nil {
		t.Error("a damaged record is accepted")
	}
}

func TestPendingOrder(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	r := newRig(t, rigOptions{manager: ManagerOptions{Now: func() time.Time { now = now.Add(time.Second); return now }}})
	risky := Action{Kind: Ask, Resource: "ask:pay:all", Risk: "critical"}
	for _, a := range []Action{get("https://a.test/"), write("/data/a"), risky, write("/data/b")} {
		r.deferred(a)
	}
	var got []string
	for _, q := range r.Approvals().Pending("alice") {
		got = append(got, q.Risk+" "+q.Resource)
	}
	want := "critical ask:pay:all|high fs:write:///data/a|high fs:write:///data/b|medium net:https://a.test:443/"
	if strings.Join(got, "|") != want {
		t.Errorf("%q", got)
	}
}
