package approval

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// client records the events of one attachment.
type client struct {
	mu     sync.Mutex
	events []Event
	detach func()
}

func attach(m *Manager, principal string) *client {
	c := &client{}
	c.detach = m.Attach(principal, func(e Event) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.events = append(c.events, e)
	})
	return c
}

func (c *client) of(t EventType) []Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Request
	for _, e := range c.events {
		if e.Type == t {
			out = append(out, e.Request)
		}
	}
	return out
}

type answer struct {
	g   Grant
	err error
}

func (r *rig) start(ctx context.Context, s Subject, a Action) <-chan answer {
	ch := make(chan answer, 1)
	go func() {
		g, err := r.Intercept(ctx, s, a)
		ch <- answer{g, err}
	}()
	return ch
}

func TestOnlyThePrincipalAnswersAndOnlyOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{})
		ctx := context.Background()
		c, eve := attach(r.Approvals(), "alice"), attach(r.Approvals(), "eve")
		ch := r.start(ctx, r.subject(), write("/data/a"))
		synctest.Wait()
		asked := c.of(Asked)
		if len(asked) != 1 || len(eve.of(Asked)) != 0 {
			t.Fatalf("alice was asked %d times, eve %d", len(asked), len(eve.of(Asked)))
		}
		id := asked[0].ID
		yes := Decision{Choice: ApproveOnce}
		for _, wrong := range []struct{ principal, id string }{{"eve", id}, {"", id}, {"alice", ""}, {"alice", strings.ToUpper(id)}, {"alice", newID()}} {
			if err := r.Approvals().Resolve(ctx, wrong.principal, wrong.id, yes); !errors.Is(err, ErrUnknownRequest) {
				t.Errorf("%+v: %v", wrong, err)
			}
		}
		for _, d := range []Decision{{}, {Choice: "allow"}, {Choice: "APPROVE"}, {Choice: ApprovePattern},
			{Choice: ApprovePattern, Pattern: &Pattern{Type: "custom"}}, {Choice: ApprovePattern, Scope: "forever", Pattern: &Pattern{Type: CapsuleWildcard, CapsuleID: "fs"}}} {
			if err := r.Approvals().Resolve(ctx, "alice", id, d); err == nil {
				t.Errorf("%+v is accepted", d)
			}
		}
		select {
		case got := <-ch:
			t.Fatalf("an invalid answer ended the call: %+v", got)
		default:
		}
		must(t, r.Approvals().Resolve(ctx, "alice", id, yes))
		if got := <-ch; got.err != nil {
			t.Error(got.err)
		}
		if err := r.Approvals().Resolve(ctx, "alice", id, yes); !errors.Is(err, ErrUnknownRequest) {
			t.Errorf("a request was answered twice: %v", err)
		}
		if w := c.of(Withdrawn); len(w) != 1 || w[0].ID != id || w[0].Reason != "answered" {
			t.Errorf("withdrawn: %+v", w)
		}
	})
}

func TestRequestShowsWhatIsAsked(t *testing.T) {
	r := newRig(t, rigOptions{rules: Rules{ModeSource: "config.toml:3"}})
	asked := r.answers(Decision{Choice: Deny, Feedback: "use the\x1b[2J mirror"})
	a := get("https://API.test/v1/chat?x=1")
	a.CostUSD, a.Size, a.Detail = 0.25, 12, "harmless \u202egnp.exe"
	_, err := r.Intercept(context.Background(), r.subject(), a)
	if !errors.Is(err, ErrDenied) || !strings.Contains(err.Error(), `use the\u{1b}[2J mirror`) {
		t.Errorf("feedback: %v", err)
	}
	q := (*asked)[0]
	if q.Resource != "net:https://api.test:443/v1/chat?x=1" || q.Cost != usd(t, 0.25) || q.Capsule != "fs" || q.Session != "s1" ||
		q.Rule != "mode safe" || q.Source != "config.toml:3" || q.Action != "GET request to api.test:443" || q.Deadline.IsZero() ||
		q.Detail != `harmless \u{202e}gnp.exe` || q.Risk != "medium" || len(q.ID) != 32 {
		t.Errorf("%+v", q)
	}
	want := []Offer{{ApproveOnce, "GET net:https://api.test:443/v1/chat?x=1"}, {ApproveSession, "net:https://api.test:443/**"},
		{ApproveWorkspace, "net:https://api.test:443/**"}, {ApproveAlways, "net:https://api.test:443/**"}, {Deny, ""}}
	if len(q.Choices) != len(want) {
		t.Fatalf("%+v", q.Choices)
	}
	for n, o := range want {
		if q.Choices[n] != o {
			t.Errorf("choice %d: %+v, want %+v", n, q.Choices[n], o)
		}
	}
}

func TestChoicesThatMakeNoSenseAreNotOffered(t *testing.T) {
	i, err := New(Options{Auditor: &ledger{}})
	must(t, err)
	s := Subject{Principal: "alice", Capsule: "fs", Bounds: &bounds{}}
	var got []Offer
	i.Approvals().Attach("alice", func(e Event) {
		if e.Type == Asked {
			got = e.Request.Choices
			if err := i.Approvals().Resolve(context.Background(), "alice", e.Request.ID, Decision{Choice: ApproveSession}); !errors.Is(err, ErrChoice) {
				t.Errorf("session without a session: %v", err)
			}
			must(t, i.Approvals().Resolve(context.Background(), "alice", e.Request.ID, Decision{Choice: ApproveOnce}))
		}
	})
	_, err = i.Intercept(context.Background(), s, write("/data/a"))
	must(t, err)
	if len(got) != 2 || got[0].Choice != ApproveOnce || got[1].Choice != Deny {
		t.Errorf("%+v", got)
	}
}

func TestQuestionIsAskedAgainOnAttach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{})
		ctx := context.Background()
		first := attach(r.Approvals(), "alice")
		ch := r.start(ctx, r.subject(), write("/data/a"))
		ch2 := r.start(ctx, r.subject(), write("/data/b"))
		synctest.Wait()
		first.detach()
		first.detach()
		second := attach(r.Approvals(), "alice")
		synctest.Wait()
		asked := second.of(Asked)
		if len(asked) != 2 || r.Approvals().Attached("alice") != 1 {
			t.Fatalf("asked again: %+v", asked)
		}
		for _, q := range asked {
			must(t, r.Approvals().Resolve(ctx, "alice", q.ID, Decision{Choice: ApproveOnce}))
		}
		for _, c := range []<-chan answer{ch, ch2} {
			if got := <-c; got.err != nil {
				t.Error(got.err)
			}
		}
		if len(first.of(Withdrawn)) != 0 {
			t.Error("a detached client still gets events")
		}
	})
}

func TestOneAnswerCoversWaitingCalls(t *testing.T) {
	for _, choice := range []Choice{ApproveSession, ApproveAlways} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, rigOptions{})
			ctx := context.Background()
			c := attach(r.Approvals(), "alice")
			ch1 := r.start(ctx, r.subject(), get("https://a.test/1"))
			ch2 := r.start(ctx, r.subject(), get("https://a.test/2"))
			other := r.start(ctx, r.subject(), get("https://b.test/"))
			synctest.Wait()
			for _, q := range c.of(Asked) {
				if strings.HasPrefix(q.Resource, "net:https://a.test") {
					must(t, r.Approvals().Resolve(ctx, "alice", q.ID, Decision{Choice: choice}))
					break
				}
			}
			for _, ch := range []<-chan answer{ch1, ch2} {
				if got := <-ch; got.err != nil {
					t.Errorf("%s: %v", choice, got.err)
				}
			}
			pending := r.Approvals().Pending("alice")
			if len(pending) != 1 || pending[0].Resource != "net:https://b.test:443/" {
				t.Fatalf("%s: waiting: %+v", choice, pending)
			}
			must(t, r.Approvals().Resolve(ctx, "alice", pending[0].ID, Decision{Choice: Deny}))
			if got := <-other; !errors.Is(got.err, ErrDenied) {
				t.Errorf("%s: %v", choice, got.err)
			}
		})
	}
}

func TestNobodyAnswersInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tc := range []struct {
			fallback Fallback
			attached bool
			err      error
			after    time.Duration
		}{
			{FallbackQueue, false, ErrDeferred, 0},
			{FallbackQueue, true, ErrDeferred, time.Minute},
			{FallbackBlock, false, ErrDeferred, time.Minute},
			{FallbackSkip, false, ErrDenied, 0},
			{FallbackSkip, true, ErrDenied, time.Minute},
		} {
			r := newRig(t, rigOptions{manager: ManagerOptions{Timeout: time.Minute, Fallback: tc.fallback}})
			var c *client
			if tc.attached {
				c = attach(r.Approvals(), "alice")
			}
			begin := time.Now()
			_, err := r.Intercept(context.Background(), r.subject(), write("/data/a"))
			var d *Denial
			if !errors.As(err, &d) || !errors.Is(err, tc.err) || d.AuditID == "" {
				t.Errorf("%+v: %v", tc, err)
			}
			if took := time.Since(begin); took != tc.after {
				t.Errorf("%+v: took %v", tc, took)
			}
			if tc.err == ErrDeferred {
				q, err := r.Approvals().Show("alice", d.RequestID)
				if err != nil || !q.Queued || !q.Deadline.IsZero() {
					t.Errorf("%+v: %+v, %v", tc, q, err)
				}
				if _, err := r.Approvals().Show("eve", d.RequestID); !errors.Is(err, ErrUnknownRequest) {
					t.Errorf("eve sees it: %v", err)
				}
			} else if n := len(r.Approvals().Pending("alice")); n != 0 {
				t.Errorf("%+v: %d queued", tc, n)
			}
			if c != nil && len(c.of(Withdrawn)) != 1 {
				t.Errorf("%+v: %+v", tc, c.of(Withdrawn))
			}
		}
	})
}

func TestQuestionEndsBeforeTheCallDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{})
		attach(r.Approvals(), "alice")
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if _, err := r.Intercept(ctx, r.subject(), write("/data/a")); !errors.Is(err, ErrDeferred) {
			t.Errorf("the call's deadline came first: %v", err)
		}
	})
}

func TestCancellationRefundsAndLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{limits: Limits{SessionMax: usd(t, 10)}})
		c := attach(r.Approvals(), "alice")
		ctx, cancel := context.WithCancel(context.Background())
		a := get("https://a.test/")
		a.CostUSD = 5
		ch := r.start(ctx, r.subject(), a)
		synctest.Wait()
		if s, _ := r.Budgets().Spent("alice", "s1", "/ws"); s != usd(t, 5) {
			t.Errorf("not reserved while waiting: %v", s)
		}
		cancel()
		if got := <-ch; !errors.Is(got.err, context.Canceled) {
			t.Errorf("%v", got.err)
		}
		synctest.Wait()
		s, w := r.Budgets().Spent("alice", "s1", "/ws")
		if s != 0 || w != 0 || len(r.log.all()) != 0 || len(r.Approvals().Pending("alice")) != 0 {
			t.Errorf("left behind: %v, %v, %d entries", s, w, len(r.log.all()))
		}
		if err := r.Approvals().Resolve(context.Background(), "alice", c.of(Asked)[0].ID, Decision{Choice: ApproveSession}); !errors.Is(err, ErrUnknownRequest) {
			t.Errorf("a withdrawn question was answered: %v", err)
		}
		if r.Stats().Cancelled != 1 {
			t.Errorf("%+v", r.Stats())
		}
	})
}

func TestTooManyQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{manager: ManagerOptions{MaxOpen: 4}})
		attach(r.Approvals(), "alice")
		ctx, cancel := context.WithCancel(context.Background())
		for _, p := range []string{"/data/a", "/data/b"} {
			r.start(ctx, r.subject(), write(p))
		}
		synctest.Wait()
		if _, err := r.Intercept(ctx, r.subject(), write("/data/c")); !errors.Is(err, ErrDenied) || !strings.Contains(err.Error(), "waiting already") {
			t.Errorf("%v", err)
		}
		s := r.subject()
		s.Capsule = "web"
		r.start(ctx, s, write("/data/c"))
		synctest.Wait()
		if n := len(r.Approvals().Pending("alice")); n != 3 {
			t.Errorf("%d waiting: one capsule keeps another from asking", n)
		}
		cancel()
		synctest.Wait()
	})
}

// TestPatternMustCoverTheAction: the human is told at once, and the call goes on waiting.
func TestPatternMustCoverTheAction(t *testing.T) {
	for _, later := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, rigOptions{})
			ctx := context.Background()
			var ch <-chan answer
			a := run("/bin/ls", "-l", "a b")
			if later {
				r.deferred(a)
			} else {
				attach(r.Approvals(), "alice")
				ch = r.start(ctx, r.subject(), a)
				synctest.Wait()
			}
			id := r.Approvals().Pending("alice")[0].ID
			d := Decision{Choice: ApprovePattern, Pattern: &Pattern{Type: CommandPattern, Command: "cat *"}}
			if err := r.Approvals().Resolve(ctx, "alice", id, d); !errors.Is(err, ErrChoice) {
				t.Errorf("later %v: %v", later, err)
			}
			d.Pattern.Command = "ls *"
			must(t, r.Approvals().Resolve(ctx, "alice", id, d))
			if ch == nil {
				ch = r.start(ctx, r.subject(), a)
			}
			if got := <-ch; got.err != nil {
				t.Errorf("later %v: %v", later, got.err)
			}
		})
	}
}

func TestEndSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{limits: Limits{SessionMax: usd(t, 10)}})
		c := attach(r.Approvals(), "alice")
		ctx := context.Background()
		a := get("https://a.test/")
		a.CostUSD = 4
		ch := r.start(ctx, r.subject(), a)
		synctest.Wait()
		must(t, r.Approvals().Resolve(ctx, "alice", c.of(Asked)[0].ID, Decision{Choice: ApproveSession}))
		if got := <-ch; got.err != nil {
			t.Fatal(got.err)
		}
		waiting := r.start(ctx, r.subject(), write("/data/a"))
		synctest.Wait()
		must(t, r.EndSession(ctx, "alice", "s1"))
		if got := <-waiting; !errors.Is(got.err, ErrDenied) {
			t.Errorf("%v", got.err)
		}
		if s, _ := r.Budgets().Spent("alice", "s1", "/ws"); s != 0 || len(r.Allowances().List("alice")) != 0 {
			t.Errorf("left: %v, %+v", s, r.Allowances().List("alice"))
		}
	})
}

// TestSessionEndsWhileAnswered ends a session after "for this session" was answered and before that is granted:
// the call itself was approved, what outlives it was not.
func TestSessionEndsWhileAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{})
		r.log.during = func() { must(t, r.EndSession(context.Background(), "alice", "s1")) }
		c := attach(r.Approvals(), "alice")
		ch := r.start(context.Background(), r.subject(), get("https://a.test/"))
		synctest.Wait()
		must(t, r.Approvals().Resolve(context.Background(), "alice", c.of(Asked)[0].ID, Decision{Choice: ApproveSession}))
		if got := <-ch; got.err != nil {
			t.Fatal(got.err)
		}
		if left := r.Allowances().List("alice"); len(left) != 0 {
			t.Errorf("left: %+v", left)
		}
	})
}

// TestManagerHammer answers, cancels and attaches at once; every call must end.
func TestManagerHammer(t *testing.T) {
	r := newRig(t, rigOptions{manager: ManagerOptions{MaxOpen: 1000}})
	base := attach(r.Approvals(), "alice")
	defer base.detach()
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			for k := range 20 {
				ctx, cancel := context.WithCancel(context.Background())
				if (n+k)%3 == 0 {
					cancel()
				}
				_, err := r.Intercept(ctx, r.subject(), write("/data/a"))
				if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, ErrDenied) {
					t.Error(err)
				}
				cancel()
			}
		})
		wg.Go(func() {
			for range 5 {
				d := r.Approvals().Attach("alice", func(e Event) {
					if e.Type == Asked {
						c := Deny
						if n%2 == 0 {
							c = ApproveOnce
						}
						// Somebody else may have been faster.
						_ = r.Approvals().Resolve(context.Background(), "alice", e.Request.ID, Decision{Choice: c})
					}
				})
				r.Approvals().Pending("alice")
				d()
			}
		})
	}
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-done:
				return
			default:
				for _, q := range r.Approvals().Pending("alice") {
					_ = r.Approvals().Resolve(context.Background(), "alice", q.ID, Decision{Choice: ApproveOnce})
				}
			}
		}
	}()
	wg.Wait()
	close(done)
	if n := len(r.Approvals().Pending("alice")); n != 0 {
		t.Errorf("%d questions are left", n)
	}
}

func TestWhoeverCannotDecideDefers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{})
		ctx := context.Background()
		first, second := attach(r.Approvals(), "alice"), attach(r.Approvals(), "alice")
		ch := r.start(ctx, r.subject(), write("/data/a"))
		synctest.Wait()
		id := first.of(Asked)[0].ID
		put := Decision{Choice: Defer}
		must(t, r.Approvals().Resolve(ctx, "alice", id, put))
		synctest.Wait()
		select {
		case got := <-ch:
			t.Fatalf("one of two put it off, and the call ended: %+v", got)
		default:
		}
		second.detach()
		must(t, r.Approvals().Resolve(ctx, "alice", id, put))
		got := <-ch
		if !errors.Is(got.err, ErrDeferred) || !strings.Contains(got.err.Error(), "put it off") {
			t.Errorf("%+v", got)
		}
		if q := first.of(Queued); len(q) != 1 || q[0].ID != id {
			t.Errorf("queued: %+v", q)
		}
		if err := r.Approvals().Resolve(ctx, "alice", id, put); !errors.Is(err, ErrChoice) {
			t.Errorf("a queued request was put off: %v", err)
		}
		must(t, r.Approvals().Resolve(ctx, "alice", id, Decision{Choice: ApproveOnce}))
		if _, err := r.Intercept(ctx, r.subject(), write("/data/a")); err != nil {
			t.Errorf("approved afterwards: %v", err)
		}
	})
}
