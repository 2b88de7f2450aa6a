package storagetest

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/kernel/storage"
	"pgregory.net/rapid"
)

func testCompareAndSwap(t *testing.T, e storage.Engine) {
	cas := func(old, new []byte) error { return e.CompareAndSwap(ctx, "k", old, new) }
	wantErr(t, cas([]byte("x"), []byte("y")), storage.ErrConflict)
	wantErr(t, cas([]byte("x"), []byte("y")), fs.ErrExist)
	wantErr(t, cas([]byte{}, []byte("y")), storage.ErrConflict) // empty is not absent
	wantAbsent(t, e, "k")
	for i, step := range []struct {
		old, new []byte
		ok       bool
		then     string
	}{
		{nil, []byte("1"), true, "1"},
		{nil, []byte("2"), false, "1"},
		{[]byte("0"), []byte("2"), false, "1"},
		{[]byte("1"), []byte("2"), true, "2"},
		{[]byte("2"), []byte{}, true, ""},
		{nil, []byte("3"), false, ""},
		{[]byte{}, []byte("3"), true, "3"},
		{[]byte("3"), []byte("3"), true, "3"},
		{[]byte("4"), nil, false, "3"},
	} {
		err := cas(step.old, step.new)
		if step.ok && err != nil || !step.ok && !errors.Is(err, storage.ErrConflict) {
			t.Fatalf("step %d: %v", i, err)
		}
		wantValue(t, e, "k", step.then)
	}
	if err := cas([]byte("3"), nil); err != nil {
		t.Fatal(err)
	}
	wantAbsent(t, e, "k")
	if err := cas(nil, nil); err != nil {
		t.Fatalf("absent to absent: %v", err)
	}
}

func testUpdateAtomic(t *testing.T, e storage.Engine) {
	put(t, e, "keep", "1")
	put(t, e, "drop", "1")
	boom := errors.New("boom")
	err := e.Update(ctx, func(tx storage.Tx) error {
		tx.Put("keep", []byte("2"))
		tx.Put("new", []byte("2"))
		tx.Delete("drop")
		return boom
	})
	if err != boom {
		t.Fatalf("Update = %v, want the function's error itself", err)
	}
	wantValue(t, e, "keep", "1")
	wantValue(t, e, "drop", "1")
	wantAbsent(t, e, "new")
	err = e.Update(ctx, func(tx storage.Tx) error {
		return errors.Join(tx.Put("keep", []byte("2")), tx.Put("new", []byte("2")), tx.Delete("drop"))
	})
	if err != nil {
		t.Fatal(err)
	}
	wantValue(t, e, "keep", "2")
	wantValue(t, e, "new", "2")
	wantAbsent(t, e, "drop")
}

func testUpdateSeesItself(t *testing.T, e storage.Engine) {
	put(t, e, "a", "1")
	put(t, e, "c", "1")
	err := e.Update(ctx, func(tx storage.Tx) error {
		tx.Put("b", []byte("2"))
		tx.Delete("a")
		tx.Put("c", []byte("2"))
		if _, err := tx.Get("a"); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("a deleted key is still there: %v", err)
		}
		var seen []string
		err := tx.Scan("", func(k string, v []byte) error { seen = append(seen, k+string(v)); return nil })
		if !slices.Equal(seen, []string{"b2", "c2"}) {
			t.Errorf("the transaction sees %q", seen)
		}
		tx.Put("a", []byte("3"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	wantValue(t, e, "a", "3")
}

// testTxScanIsStill: a walk shows what was there when it began, whatever its callback writes.
func testTxScanIsStill(t *testing.T, e storage.Engine) {
	put(t, e, "a", "1")
	put(t, e, "b", "1")
	put(t, e, "c", "1")
	var seen []string
	err := e.Update(ctx, func(tx storage.Tx) error {
		tx.Put("d", []byte("1")) // written before the walk, also by the transaction itself
		return tx.Scan("", func(k string, v []byte) error {
			seen = append(seen, k+string(v))
			return errors.Join(tx.Put("b", []byte("2")), tx.Put("bb", []byte("2")), tx.Delete("c"), tx.Put("d", []byte("2")))
		})
	})
	if err != nil || !slices.Equal(seen, []string{"a1", "b1", "c1", "d1"}) {
		t.Fatalf("the walk shows %q, %v", seen, err)
	}
	if keys, _ := e.List(ctx, ""); !slices.Equal(keys, []string{"a", "b", "bb", "d"}) {
		t.Fatalf("afterwards there are %q", keys)
	}
	wantValue(t, e, "d", "2")
}

func testUpdatePanics(t *testing.T, e storage.Engine) {
	err := e.Update(ctx, func(tx storage.Tx) error {
		tx.Put("a", nil)
		panic("oh")
	})
	if err == nil || !strings.Contains(err.Error(), "oh") {
		t.Fatalf("a panic became %v", err)
	}
	wantAbsent(t, e, "a")
	put(t, e, "a", "1") // the engine goes on
}

func testTxEnds(t *testing.T, e storage.Engine) {
	var kept storage.Tx
	e.Update(ctx, func(tx storage.Tx) error { kept = tx; return nil })
	if err := kept.Put("a", nil); err == nil {
		t.Error("a transaction could be written to after its end")
	}
	if _, err := kept.Get("a"); err == nil || errors.Is(err, storage.ErrNotFound) {
		t.Errorf("a transaction could be read after its end: %v", err)
	}
	if err := kept.Scan("", nil); err == nil {
		t.Error("a transaction could be scanned after its end")
	}
}

func testLargeValues(t *testing.T, e storage.Engine) {
	big := bytes.Repeat([]byte("0123456789abcdef"), 10<<16) // 10 MiB, what a guest may store
	if err := e.Put(ctx, "big", big); err != nil {
		t.Fatal(err)
	}
	if got, err := e.Get(ctx, "big"); err != nil || !bytes.Equal(got, big) {
		t.Fatalf("10 MiB came back as %d bytes: %v", len(got), err)
	}
	wantErr(t, e.Put(ctx, "huge", make([]byte, storage.MaxValueBytes+1)), storage.ErrTooLarge)
	wantAbsent(t, e, "huge")
}

func testCancelled(t *testing.T, e storage.Engine) {
	put(t, e, "a", "1")
	gone, cancel := context.WithCancel(ctx)
	cancel()
	_, err := e.Get(gone, "a")
	wantErr(t, err, context.Canceled)
	_, err = e.List(gone, "")
	wantErr(t, err, context.Canceled)
	_, err = e.Watch(gone, "")
	wantErr(t, err, context.Canceled)
	wantErr(t, e.Put(gone, "a", []byte("2")), context.Canceled)
	wantErr(t, e.Delete(gone, "a"), context.Canceled)
	wantErr(t, e.CompareAndSwap(gone, "a", []byte("1"), []byte("2")), context.Canceled)
	wantErr(t, e.Scan(gone, "", func(string, []byte) error { t.Error("scanned"); return nil }), context.Canceled)
	wantErr(t, e.Update(gone, func(storage.Tx) error { t.Error("updated"); return nil }), context.Canceled)
	wantValue(t, e, "a", "1")

	// While another update runs, a waiting one can be given up, and then does not happen.
	inside, release := make(chan struct{}), make(chan struct{})
	first := make(chan error, 1)
	go func() {
		first <- e.Update(ctx, func(storage.Tx) error { close(inside); <-release; return nil })
	}()
	<-inside
	short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	waiting := make(chan error, 1)
	go func() { waiting <- e.Put(short, "a", []byte("3")) }()
	<-short.Done()
	close(release)
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	wantErr(t, <-waiting, context.DeadlineExceeded)
	wantValue(t, e, "a", "1")
}

func testClosed(t *testing.T, e storage.Engine) {
	put(t, e, "a", "1")
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatalf("second Close: %v", err)
	}
	_, err := e.Get(ctx, "a")
	wantErr(t, err, storage.ErrClosed)
	_, err = e.List(ctx, "")
	wantErr(t, err, storage.ErrClosed)
	_, err = e.Watch(ctx, "")
	wantErr(t, err, storage.ErrClosed)
	wantErr(t, e.Put(ctx, "a", nil), storage.ErrClosed)
	wantErr(t, e.Delete(ctx, "a"), storage.ErrClosed)
	wantErr(t, e.CompareAndSwap(ctx, "a", nil, nil), storage.ErrClosed)
	wantErr(t, e.Scan(ctx, "", nil), storage.ErrClosed)
	wantErr(t, e.Update(ctx, nil), storage.ErrClosed)
}

// testModel compares the engine with a plain map under random operations.
func testModel(t *testing.T, e storage.Engine) {
	rapid.Check(t, func(t *rapid.T) {
		model := map[string]string{}
		if err := e.Update(ctx, func(tx storage.Tx) error {
			return tx.Scan("", func(k string, _ []byte) error { return tx.Delete(k) })
		}); err != nil {
			t.Fatal(err)
		}
		key := rapid.StringMatching(`[ab]{1,3}`)
		val := rapid.StringMatching(`[xy]{0,2}`)
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			k, v := key.Draw(t, "key"), val.Draw(t, "val")
			switch rapid.IntRange(0, 3).Draw(t, "op") {
			case 0:
				if err := e.Put(ctx, k, []byte(v)); err != nil {
					t.Fatal(err)
				}
				model[k] = v
			case 1:
				if err := e.Delete(ctx, k); err != nil {
					t.Fatal(err)
				}
				delete(model, k)
			case 2:
				old := val.Draw(t, "old")
				cur, there := model[k]
				err := e.CompareAndSwap(ctx, k, []byte(old), []byte(v))
				if swapped := there && cur == old; swapped != (err == nil) {
					t.Fatalf("CompareAndSwap of %q: %v; the model has %q, %v", k, err, cur, there)
				} else if swapped {
					model[k] = v
				}
			case 3:
				prefix := k[:1]
				var want, got []string
				for _, m := range slices.Sorted(maps.Keys(model)) {
					if strings.HasPrefix(m, prefix) {
						want = append(want, m+"="+model[m])
					}
				}
				err := e.Scan(ctx, prefix, func(k string, v []byte) error { got = append(got, k+"="+string(v)); return nil })
				if err != nil || !slices.Equal(got, want) {
					t.Fatalf("Scan(%q) = %q, %v; want %q", prefix, got, err, want)
				}
			}
		}
	})
}
