package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// faulty is a store and anchor that records the order of what is done to it and fails on demand.
type faulty struct {
	*MemStore
	mu    sync.Mutex
	ops   []string
	fail  string        // operation that fails with disk full
	short bool          // a failing write writes half of it first
	gate  chan struct{} // if set, sync waits for it
}

func (f *faulty) op(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ops = append(f.ops, name)
	if f.fail == name {
		return syscall.ENOSPC
	}
	return nil
}

func (f *faulty) setFail(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = name
}

func (f *faulty) Append(ctx context.Context, principal, name string) (Segment, error) {
	if err := f.op("open"); err != nil {
		return nil, err
	}
	s, err := f.MemStore.Append(ctx, principal, name)
	return &faultySegment{s, f}, err
}

func (f *faulty) Save(ctx context.Context, principal string, head []byte) error {
	if err := f.op("anchor"); err != nil {
		return err
	}
	return f.MemStore.Save(ctx, principal, head)
}

type faultySegment struct {
	Segment
	f *faulty
}

func (s *faultySegment) Write(b []byte) (int, error) {
	if err := s.f.op("write"); err != nil {
		n := 0
		if s.f.short {
			n, _ = s.Segment.Write(b[:len(b)/2])
		}
		return n, err
	}
	return s.Segment.Write(b)
}

func (s *faultySegment) Sync() error {
	if s.f.gate != nil {
		<-s.f.gate
	}
	return s.f.op("sync")
}

// faultySigner fails when told.
type faultySigner struct {
	testSigner
	mu   sync.Mutex
	fail bool
}

func (s *faultySigner) Sign(m []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail {
		return nil, errors.New("no key")
	}
	return s.testSigner.Sign(m)
}

func openFaulty(t *testing.T, o Options) (*Log, *faulty) {
	f := &faulty{MemStore: NewMemStore()}
	o.Store, o.Anchor = f, f
	if o.Signer == nil {
		o.Signer = newSigner("runtime")
	}
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, f
}

// failAt makes a step of appends fail, "write short" after half of the bytes, and returns what mends it.
func failAt(step string, f *faulty, signer *faultySigner) (mend func()) {
	set := func(sign bool, op string) {
		signer.mu.Lock()
		signer.fail = sign
		signer.mu.Unlock()
		f.setFail(op)
	}
	f.short = step == "write short"
	set(step == "sign", strings.Fields(step)[0])
	return func() { set(false, "") }
}

// wantWhole appends once more and sees an intact chain that has an entry.
func wantWhole(t *testing.T, l *Log, entry Entry) {
	t.Helper()
	mustAppend(t, l, entry.Principal, decision(4))
	if _, err := l.Get(context.Background(), entry.ID); err != nil {
		t.Error(err)
	}
	if r, err := l.Verify(context.Background(), VerifyOptions{}); err != nil || r.State() != Intact {
		t.Errorf("%v %v", err, r.Problems())
	}
}

// TestOrder sees that an append is answered after write, sync and anchor, in this order.
func TestOrder(t *testing.T) {
	l, f := openFaulty(t, Options{})
	mustAppend(t, l, "alice", decision(1))
	f.mu.Lock()
	defer f.mu.Unlock()
	if want := []string{"anchor", "open", "write", "sync", "anchor"}; !slices.Equal(f.ops, want) {
		t.Errorf("operations %v, want %v", f.ops, want)
	}
}

// TestFailsClosed fails each step: the append returns an error, later ones do as well even
// when the disk has recovered, other chains go on, and reopening finds an intact chain.
func TestFailsClosed(t *testing.T) {
	for _, step := range []string{"open", "write", "write short", "sync", "anchor", "sign"} {
		t.Run(step, func(t *testing.T) {
			signer := &faultySigner{testSigner: newSigner("runtime")}
			l, f := openFaulty(t, Options{SegmentSize: 1, Signer: signer, RetryAfter: time.Hour}) // each batch opens a segment
			ctx := context.Background()
			first := mustAppend(t, l, "alice", decision(1))
			mustAppend(t, l, "bob", decision(1))
			mend := failAt(step, f, signer)
			_, err := l.Append(ctx, "alice", decision(2))
			if !errors.Is(err, ErrFailed) || step != "sign" && !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("error %v", err)
			}
			mend()
			for _, lag := range []bool{false, true} {
				d := decision(3)
				d.MayLag = lag
				if _, err := l.Append(ctx, "alice", d); !errors.Is(err, ErrFailed) {
					t.Fatalf("after the failure: %v", err)
				}
			}
			mustAppend(t, l, "bob", decision(2))
			if err := l.Reopen(ctx, "alice"); err != nil {
				t.Fatal(err)
			}
			wantWhole(t, l, first)
		})
	}
}

// TestGroupCommit holds the first sync: all that come meanwhile share the second.
func TestGroupCommit(t *testing.T) {
	l, f := openFaulty(t, Options{})
	f.gate = make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { mustAppend(t, l, "alice", decision(0)) })
	f.gate <- struct{}{} // its sync has begun; the rest of it is under way
	for i := range 64 {
		wg.Go(func() { mustAppend(t, l, "alice", decision(i)) })
	}
	c := l.chains["alice"]
	for pending := 0; pending < 64; time.Sleep(time.Millisecond) { // until all are linked
		c.mu.Lock()
		pending = int(c.seq) - 1
		c.mu.Unlock()
	}
	close(f.gate)
	wg.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	syncs := 0
	for _, op := range f.ops {
		if op == "sync" {
			syncs++
		}
	}
	if syncs > 10 {
		t.Errorf("%d syncs for 65 entries", syncs)
	}
}

// TestMayLag answers before the sync, makes the entry durable within MaxLag, and waits
// like any other once the log is that far behind, or with SyncAlways.
func TestMayLag(t *testing.T) {
	lagging := decision(1)
	lagging.MayLag = true
	l, f := openFaulty(t, Options{MaxLag: 20 * time.Millisecond})
	ctx := context.Background()
	if err := l.OpenChain(ctx, "alice"); err != nil {
		t.Fatal(err)
	}
	f.gate = make(chan struct{})
	mustAppend(t, l, "alice", lagging) // does not wait for the gate
	start := time.Now()
	f.gate <- struct{}{} // the committer comes by itself
	if waited := time.Since(start); waited > 5*time.Second {
		t.Errorf("synced after %v", waited)
	}
	if err := l.Flush(timeout(t, f.gate)); err != nil {
		t.Fatal(err)
	}

	always, f := openFaulty(t, Options{SyncAlways: true})
	f.gate = make(chan struct{})
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if _, err := always.Append(short, "alice", lagging); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("SyncAlways: answered before the sync: %v", err)
	}
	close(f.gate)
}

// timeout lets a gate go and returns a context.
func timeout(t *testing.T, gate chan struct{}) context.Context {
	close(gate)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// TestLagIsBounded blocks the disk: entries that may lag wait like any other after MaxLag.
func TestLagIsBounded(t *testing.T) {
	l, f := openFaulty(t, Options{MaxLag: time.Millisecond})
	ctx := context.Background()
	if err := l.OpenChain(ctx, "alice"); err != nil {
		t.Fatal(err)
	}
	f.gate = make(chan struct{})
	defer close(f.gate)
	d := decision(1)
	d.MayLag = true
	for i := 0; ; i++ {
		short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		_, err := l.Append(short, "alice", d)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			return
		}
		if err != nil || i > 100_000 {
			t.Fatal(fmt.Errorf("append %d: %w", i, err))
		}
	}
}
