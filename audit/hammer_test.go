package audit

import (
	"context"
	"fmt"
	"sync"
	"testing"
)

// TestHammer has 64 goroutines append to three chains at once, some with entries that may
// lag, while others read, flush and verify. No chain forks, no entry is lost or doubled.
func TestHammer(t *testing.T) {
	const appenders, each = 64, 40
	d := newDirs(t)
	l := d.open(t, Options{SegmentSize: 30 << 10})
	ctx := context.Background()
	var mu sync.Mutex
	got := map[ID]string{}
	var appending, watching sync.WaitGroup
	for i := range 3 { // a chain that is being made has no anchor for a moment
		if err := l.OpenChain(ctx, fmt.Sprintf("p%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	for g := range appenders {
		appending.Go(func() {
			p := fmt.Sprintf("p%d", g%3)
			for i := range each {
				draft := decision(i)
				draft.Session = fmt.Sprint("s", g)
				draft.MayLag = g%4 == 0
				e, err := l.Append(ctx, p, draft)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if got[e.ID] != "" {
					t.Errorf("id %s twice", e.ID)
				}
				got[e.ID] = string(e.Line())
				mu.Unlock()
			}
		})
	}
	done := make(chan struct{})
	for range 2 {
		watching.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if r, err := l.Verify(ctx, VerifyOptions{}); err != nil || r.State() != Intact && r.Entries() > 0 {
					t.Errorf("while appending: %v, %+v", err, r)
					return
				}
			}
		})
	}
	appending.Wait()
	close(done)
	watching.Wait()
	n := 0
	for e, err := range l.Query(ctx, Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if got[e.ID] != string(e.Line()) {
			t.Fatalf("entry %s is not what was answered", e.ID)
		}
		n++
	}
	if n != appenders*each {
		t.Errorf("%d entries, want %d", n, appenders*each)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if r := d.verify(t); r.State() != Intact || r.Entries() != n {
		t.Errorf("%v", r.Problems())
	}
}

// TestCloseWhileAppending closes the log under its users: each append is either answered,
// and there afterwards, or refused.
func TestCloseWhileAppending(t *testing.T) {
	for range 10 {
		d := newDirs(t)
		l := d.open(t, Options{})
		ctx := context.Background()
		var mu sync.Mutex
		var answered []ID
		var wg sync.WaitGroup
		first := make(chan struct{})
		var once sync.Once
		for range 16 {
			wg.Go(func() {
				for {
					e, err := l.Append(ctx, "alice", decision(0))
					if err != nil {
						return
					}
					once.Do(func() { close(first) })
					mu.Lock()
					answered = append(answered, e.ID)
					mu.Unlock()
				}
			})
		}
		<-first
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		r := NewReader(l.opt.Store)
		for _, id := range answered {
			if _, err := r.Get(ctx, id); err != nil {
				t.Fatal(err)
			}
		}
		if rep := d.verify(t); rep.State() != Intact {
			t.Fatal(rep.Problems())
		}
	}
}
