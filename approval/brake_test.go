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

// brakeRig is a gate with a brake, on a clock that stands still while anybody is at work.
func brakeRig(t *testing.T, perDay int64) (*Interceptor, *ledger) {
	t.Helper()
	l := &ledger{}
	i, err := New(Options{Auditor: l, Policy: mustPolicy(t, Rules{Mode: Autonomous}), Brake: Brake{BytesPerDay: perDay, Source: "config.toml:3"}})
	must(t, err)
	return i, l
}

// readOnce is a call that is allowed and recorded, and ends in an error that is recorded too.
func readOnce(i *Interceptor, s Subject, path string) error {
	g, err := i.Intercept(context.Background(), s, Action{Kind: FSRead, Function: "astrid_read_file", Resource: "fs:read://" + path, Path: path, InWorkspace: true})
	if err == nil {
		err = g.Settle(context.Background(), Outcome{Err: errors.New("no such file")})
	}
	return err
}

func TestBrake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const perDay = 1 << 20
		i, l := brakeRig(t, perDay)
		s := Subject{Principal: "alice", Capsule: "loud", Session: "s1", Workspace: "/ws", Home: "/home/a", Bounds: &bounds{refuse: map[Kind]bool{Config: true}}}
		other, elsewhere := s, s
		other.Capsule, elsewhere.Principal = "quiet", "bob"
		allowed := 0
		var d *Denial
		for ; allowed < perDay; allowed++ {
			if err := readOnce(i, s, "/ws/a"); err != nil {
				if !errors.As(err, &d) {
					t.Fatal(err)
				}
				break
			}
		}
		if allowed < perDay/2048 || allowed > perDay/512 {
			t.Errorf("%d calls were allowed", allowed)
		}
		if !errors.Is(d, ErrBraked) || errors.Is(d, ErrDenied) || d.Layer != LayerAudit || d.Source != "config.toml:3" || d.AuditID == "" ||
			!strings.Contains(d.Error(), "too many recorded calls by audit: the capsule's calls have filled the audit log with 1 MiB within a day: those that would be recorded are refused for 10m0s (rule audit.capsule_mb_per_day, set in config.toml:3)") {
			t.Errorf("it was refused with %v: %+v", d, d)
		}
		// From now on calls are refused, also those that would have been anyway, and none is recorded.
		recorded := len(l.all())
		if recorded != allowed+1 {
			t.Errorf("%d calls, %d entries", allowed, recorded)
		}
		for range 1000 {
			if err := readOnce(i, s, "/ws/"+strings.Repeat("a", 100)); !errors.Is(err, ErrBraked) {
				t.Fatalf("while the brake is closed: %v", err)
			}
			if _, err := i.Intercept(context.Background(), s, Action{Class: Plain, Kind: Config, Resource: "config:x"}); !errors.Is(err, ErrBraked) {
				t.Fatalf("a denied plain call: %v", err)
			}
		}
		if n := len(l.all()); n != recorded {
			t.Errorf("%d entries were added", n-recorded)
		}
		// Others, and calls that are not recorded, are not concerned.
		must(t, readOnce(i, other, "/ws/a"))
		must(t, readOnce(i, elsewhere, "/ws/a"))
		if _, err := i.Intercept(context.Background(), s, Action{Class: Plain, Kind: KV, Resource: "kv:x"}); err != nil {
			t.Errorf("a plain call: %v", err)
		}
		if n := i.Stats().Braked; n != 2000 {
			t.Errorf("%d calls are counted", n)
		}
		settled := len(l.settlements())
		time.Sleep(brakeClosedFor)
		synctest.Wait()
		ends := l.settlements()
		last := ends[len(ends)-1]
		if len(ends) != settled+1 || last.AuditID != d.AuditID || last.Capsule != "loud" || last.Principal != "alice" || last.Session != "s1" ||
			last.Err != "" || last.Detail != "2000 more calls were refused, and not recorded each" {
			t.Errorf("the end is recorded as %+v", last)
		}
		again := 0
		for readOnce(i, s, "/ws/a") == nil {
			again++
		}
		if share := perDay / 144 / 1500; again < share/2 || again > share*4 { // of a day's amount, in ten minutes
			t.Errorf("%d calls were allowed ten minutes later, %d before", again, allowed)
		}
		settled = len(l.settlements())
		if err := readOnce(i, s, "/ws/a"); !errors.Is(err, ErrBraked) {
			t.Error(err)
		}
		i.Close()
		if ends := l.settlements(); len(ends) != settled+1 || ends[settled].Detail != "1 more calls were refused, and not recorded each" {
			t.Errorf("at the end of the daemon %+v is recorded", ends)
		}
		i.Close()
		if len(l.settlements()) != settled+1 {
			t.Error("it is recorded twice")
		}
	})
}

// TestBrakeNotRecorded: a brake that cannot be recorded does not close in silence.
func TestBrakeNotRecorded(t *testing.T) {
	i, l := brakeRig(t, 1)
	s := Subject{Principal: "alice", Capsule: "loud", Workspace: "/ws", Home: "/home/a", Bounds: &bounds{}}
	must(t, readOnce(i, s, "/ws/a"))
	l.failWith(errors.New("disk full"))
	for range 2 {
		if err := readOnce(i, s, "/ws/a"); !errors.Is(err, ErrAuditFailed) {
			t.Errorf("%v", err)
		}
	}
	l.failWith(nil)
	before := len(l.all())
	for range 3 {
		if err := readOnce(i, s, "/ws/a"); !errors.Is(err, ErrBraked) {
			t.Errorf("%v", err)
		}
	}
	if n := len(l.all()); n != before+1 {
		t.Errorf("%d entries were added", n-before)
	}
	i.Close()
	if last := l.settled[len(l.settled)-1]; !strings.HasPrefix(last.Detail, "2 more") {
		t.Errorf("%+v", last)
	}
}

// TestBrakeHammer: of calls at once one closes the brake, and all others are counted.
func TestBrakeHammer(t *testing.T) {
	i, l := brakeRig(t, 100<<10)
	i.brakes.closedFor = time.Millisecond
	s := Subject{Principal: "alice", Capsule: "loud", Workspace: "/ws", Home: "/home/a", Bounds: &bounds{}}
	var wg sync.WaitGroup
	var mu sync.Mutex
	allowed := 0
	for range 8 {
		wg.Go(func() {
			for range 500 {
				if err := readOnce(i, s, "/ws/a"); err == nil {
					mu.Lock()
					allowed++
					mu.Unlock()
				} else if !errors.Is(err, ErrBraked) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	i.Close()
	closings := 0
	for _, r := range l.all() {
		if !r.Allowed {
			closings++
		}
	}
	if n := int(i.Stats().Braked); closings == 0 || allowed+closings+n != 8*500 {
		t.Errorf("%d allowed, %d closings, %d counted", allowed, closings, n)
	}
	if n := len(l.all()); n != allowed+closings {
		t.Errorf("%d entries for %d calls", n, allowed+closings)
	}
}
