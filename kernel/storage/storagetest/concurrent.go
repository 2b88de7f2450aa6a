package storagetest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/kernel/storage"
)

// next reads an event or fails.
func next(t *testing.T, ch <-chan storage.Event) storage.Event {
	t.Helper()
	select {
	case ev, ok := <-ch:
		if !ok {
			t.Fatal("the watch ended")
		}
		return ev
	case <-time.After(10 * time.Second):
		t.Fatal("no event")
	}
	panic("unreachable")
}

func wantClosed(t *testing.T, ch <-chan storage.Event) {
	t.Helper()
	select {
	case ev, ok := <-ch:
		if ok {
			t.Fatalf("got %+v instead of the end", ev)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the channel stays open")
	}
}

func testWatch(t *testing.T, e storage.Engine) {
	put(t, e, "before", "1")
	ch, err := e.Watch(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	put(t, e, "a", "1")
	e.Delete(ctx, "absent")                             // no change, no event
	e.CompareAndSwap(ctx, "a", []byte("?"), []byte("")) // nor this
	e.CompareAndSwap(ctx, "a", []byte("1"), []byte("2"))
	e.Update(ctx, func(tx storage.Tx) error { tx.Put("x", nil); return errors.New("no") }) // nor this
	e.Update(ctx, func(tx storage.Tx) error {
		tx.Put("c", []byte("3"))
		tx.Put("b", []byte("3"))
		return tx.Delete("a")
	})
	for i, want := range []storage.Event{
		{Kind: storage.Stored, Key: "a", Value: []byte("1")},
		{Kind: storage.Stored, Key: "a", Value: []byte("2")},
		{Kind: storage.Deleted, Key: "a"},
		{Kind: storage.Stored, Key: "b", Value: []byte("3")},
		{Kind: storage.Stored, Key: "c", Value: []byte("3")},
	} {
		got := next(t, ch)
		if got.Kind != want.Kind || got.Key != want.Key || string(got.Value) != string(want.Value) {
			t.Fatalf("event %d is %+v, want %+v", i, got, want)
		}
	}
}

func testWatchPrefixAndEnd(t *testing.T, e storage.Engine) {
	short, cancel := context.WithCancel(ctx)
	ch, err := e.Watch(short, "p/")
	if err != nil {
		t.Fatal(err)
	}
	put(t, e, "o", "")
	put(t, e, "p/1", "")
	put(t, e, "q", "")
	put(t, e, "p/2", "")
	if a, b := next(t, ch), next(t, ch); a.Key != "p/1" || b.Key != "p/2" {
		t.Fatalf("got %q and %q", a.Key, b.Key)
	}
	cancel()
	wantClosed(t, ch)
	put(t, e, "p/3", "") // a watcher that left is in nobody's way
}

func testWatchLost(t *testing.T, e storage.Engine) {
	ch, err := e.Watch(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	const many = 20000
	err = e.Update(ctx, func(tx storage.Tx) error {
		for i := range many {
			if err := tx.Put(fmt.Sprintf("k%05d", i), nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	put(t, e, "one more", "") // the writer is not held up
	for i := 0; ; i++ {
		ev := next(t, ch)
		if ev.Kind == storage.Lost {
			if i == 0 {
				t.Error("not one event was delivered before Lost")
			}
			break
		}
		if want := fmt.Sprintf("k%05d", i); ev.Key != want {
			t.Fatalf("event %d is of %q, want %q: something was skipped in silence", i, ev.Key, want)
		}
	}
	wantClosed(t, ch)
}

func testWatchCloses(t *testing.T, e storage.Engine) {
	ch, err := e.Watch(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	e.Close()
	wantClosed(t, ch)
}

// testHammerCounter lets many goroutines count in one key: by Update, and by CompareAndSwap with retries.
func testHammerCounter(t *testing.T, e storage.Engine) {
	const workers, each = 16, 25
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for range each {
				var err error
				if w%2 == 0 {
					err = e.Update(ctx, func(tx storage.Tx) error {
						old, _ := tx.Get("n")
						n, _ := strconv.Atoi(string(old))
						return tx.Put("n", strconv.AppendInt(nil, int64(n+1), 10))
					})
				} else {
					err = storage.ErrConflict
					for errors.Is(err, storage.ErrConflict) {
						old, getErr := e.Get(ctx, "n")
						if getErr != nil {
							old = nil
						}
						n, _ := strconv.Atoi(string(old))
						err = e.CompareAndSwap(ctx, "n", old, strconv.AppendInt(nil, int64(n+1), 10))
					}
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	wantValue(t, e, "n", strconv.Itoa(workers*each))
}

// testHammerPuts writes, reads back, lists and watches from many goroutines at once.
func testHammerPuts(t *testing.T, e storage.Engine) {
	const workers, each = 64, 8
	ch, err := e.Watch(ctx, "h/")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				key := fmt.Sprintf("h/%02d/%02d", w, i)
				if err := e.Put(ctx, key, []byte(key)); err != nil {
					t.Error(err)
				}
				if got, err := e.Get(ctx, key); err != nil || string(got) != key {
					t.Errorf("read back %q: %v", got, err)
				}
				if keys, err := e.List(ctx, fmt.Sprintf("h/%02d/", w)); err != nil || len(keys) != i+1 {
					t.Errorf("worker %d sees %d of its %d keys: %v", w, len(keys), i+1, err)
				}
			}
		})
	}
	wg.Wait()
	last := map[string]int{} // events of one writer come in its order
	for range workers * each {
		ev := next(t, ch)
		var w, i int
		fmt.Sscanf(ev.Key, "h/%02d/%02d", &w, &i)
		if seen := last[ev.Key[:5]]; i != seen {
			t.Fatalf("event of %q came when number %d was due", ev.Key, seen)
		}
		last[ev.Key[:5]]++
	}
}

// testHammerWatch lets watchers come and go while writers write. Each sees an unbroken run of one writer's counter.
func testHammerWatch(t *testing.T, e storage.Engine) {
	stop := make(chan struct{})
	var writer, watchers sync.WaitGroup
	writer.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if err := e.Put(ctx, "n", strconv.AppendInt(nil, int64(i), 10)); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 8 {
		watchers.Go(func() {
			for range 5 {
				short, cancel := context.WithCancel(ctx)
				ch, err := e.Watch(short, "n")
				if err != nil {
					t.Error(err)
					cancel()
					return
				}
				last := -1
				for range 3 {
					n, _ := strconv.Atoi(string((<-ch).Value))
					if last >= 0 && n != last+1 {
						t.Errorf("%d came after %d", n, last)
					}
					last = n
				}
				cancel()
				for range ch { // ends
				}
			}
		})
	}
	watchers.Wait()
	close(stop)
	writer.Wait()
}

// testHammerClose closes under load: each write is either durable or refused, and nobody hangs.
func testHammerClose(t *testing.T, e storage.Engine) {
	var wg sync.WaitGroup
	started := make(chan struct{}, 32)
	for w := range 32 {
		wg.Go(func() {
			for i := 0; ; i++ {
				err := e.Put(ctx, fmt.Sprintf("%d/%d", w, i), nil)
				if errors.Is(err, storage.ErrClosed) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				if i == 0 {
					started <- struct{}{}
				}
			}
		})
	}
	for range 8 {
		<-started
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
}
