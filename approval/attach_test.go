package approval

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

// TestAttachedToSomeSessions: such a client hears and holds up nothing of the others.
func TestAttachedToSomeSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{})
		ctx := context.Background()
		var heard []Event
		detach := r.Approvals().AttachSessions("alice", []string{"s1"}, func(e Event) { heard = append(heard, e) })
		defer detach()
		other := r.subject()
		other.Session = "s2"
		if _, err := r.Intercept(ctx, other, write("/data/a")); !errors.Is(err, ErrDeferred) {
			t.Fatalf("another session's action waits for a client that does not answer for it: %v", err)
		}
		ch := r.start(ctx, r.subject(), write("/data/a"))
		synctest.Wait()
		if len(heard) != 1 || heard[0].Type != Asked || heard[0].Request.Session != "s1" {
			t.Fatalf("heard %+v", heard)
		}
		must(t, r.Approvals().Resolve(ctx, "alice", heard[0].Request.ID, Decision{Choice: ApproveOnce}))
		if got := <-ch; got.err != nil {
			t.Error(got.err)
		}
		// A client for no session at all is there for nobody.
		detach()
		none := r.Approvals().AttachSessions("alice", nil, func(e Event) { t.Errorf("heard %+v", e) })
		defer none()
		if _, err := r.Intercept(ctx, r.subject(), write("/data/b")); !errors.Is(err, ErrDeferred) {
			t.Errorf("nobody is there, but %v", err)
		}
	})
}

// TestAnswerToALaterTryCountsForTheQueuedOne: the same action of the same subject, and no other.
func TestAnswerToALaterTryCountsForTheQueuedOne(t *testing.T) {
	d := newDisk()
	r := newRig(t, rigOptions{disk: d})
	r.deferred(write("/data/a"))
	left := r.deferred(write("/data/b"))
	r.answers(Decision{Choice: ApproveOnce})
	if _, err := r.Intercept(context.Background(), r.subject(), write("/data/a")); err != nil {
		t.Fatal(err)
	}
	for _, when := range []string{"at once", "after a restart"} {
		p := r.Approvals().Pending("alice")
		if len(p) != 1 || p[0].ID != left {
			t.Errorf("%s: pending are %+v", when, p)
		}
		r = newRig(t, rigOptions{disk: d})
	}
}
