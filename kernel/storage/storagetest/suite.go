// Package storagetest is the contract of storage.Engine as tests. Each engine's own test calls Run.
package storagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/kernel/storage"
)

// Open returns an empty engine, which the suite closes.
type Open func(t *testing.T) storage.Engine

// Run checks everything that needs one process.
func Run(t *testing.T, open Open) {
	for _, c := range []struct {
		name string
		test func(*testing.T, storage.Engine)
	}{
		{"GetPutDelete", testGetPutDelete},
		{"ValuesAreCopies", testValuesAreCopies},
		{"BadKeys", testBadKeys},
		{"Binary", testBinary},
		{"ListOrder", testListOrder},
		{"ScanPages", testScanPages},
		{"ScanStops", testScanStops},
		{"ScanMayWrite", testScanMayWrite},
		{"CompareAndSwap", testCompareAndSwap},
		{"UpdateAtomic", testUpdateAtomic},
		{"UpdateSeesItself", testUpdateSeesItself},
		{"TxScanIsStill", testTxScanIsStill},
		{"UpdatePanics", testUpdatePanics},
		{"TxEnds", testTxEnds},
		{"LargeValues", testLargeValues},
		{"Cancelled", testCancelled},
		{"Closed", testClosed},
		{"Watch", testWatch},
		{"WatchPrefixAndEnd", testWatchPrefixAndEnd},
		{"WatchLost", testWatchLost},
		{"WatchCloses", testWatchCloses},
		{"HammerCounter", testHammerCounter},
		{"HammerPuts", testHammerPuts},
		{"HammerWatch", testHammerWatch},
		{"HammerClose", testHammerClose},
		{"Model", testModel},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := open(t)
			t.Cleanup(func() { e.Close() })
			c.test(t, e)
		})
	}
}

var ctx = context.Background()

func put(t *testing.T, e storage.Engine, key, val string) {
	t.Helper()
	if err := e.Put(ctx, key, []byte(val)); err != nil {
		t.Fatalf("Put(%q): %v", key, err)
	}
}

func wantValue(t *testing.T, e storage.Engine, key, want string) {
	t.Helper()
	got, err := e.Get(ctx, key)
	if err != nil || string(got) != want {
		t.Fatalf("Get(%q) = %q, %v; want %q", key, got, err, want)
	}
}

func wantAbsent(t *testing.T, e storage.Engine, key string) {
	t.Helper()
	if got, err := e.Get(ctx, key); !errors.Is(err, storage.ErrNotFound) || !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("Get(%q) = %q, %v; want ErrNotFound", key, got, err)
	}
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error is %v, want %v", err, want)
	}
}

func testGetPutDelete(t *testing.T, e storage.Engine) {
	wantAbsent(t, e, "a")
	put(t, e, "a", "1")
	wantValue(t, e, "a", "1")
	put(t, e, "a", "2")
	wantValue(t, e, "a", "2")
	if err := e.Delete(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	wantAbsent(t, e, "a")
	if err := e.Delete(ctx, "a"); err != nil {
		t.Fatalf("deleting an absent key: %v", err)
	}
	if err := e.Put(ctx, "nil", nil); err != nil {
		t.Fatal(err)
	}
	if got, err := e.Get(ctx, "nil"); err != nil || got == nil || len(got) != 0 {
		t.Fatalf("an empty value came back as %v, %v", got, err)
	}
}

func testValuesAreCopies(t *testing.T, e storage.Engine) {
	in := []byte("abc")
	if err := e.Put(ctx, "k", in); err != nil {
		t.Fatal(err)
	}
	in[0] = 'X'
	wantValue(t, e, "k", "abc")
	out, _ := e.Get(ctx, "k")
	out[0] = 'Y'
	wantValue(t, e, "k", "abc")
	e.Scan(ctx, "", func(_ string, val []byte) error { val[0] = 'Z'; return nil })
	wantValue(t, e, "k", "abc")
	err := e.Update(ctx, func(tx storage.Tx) error {
		got, _ := tx.Get("k")
		got[0] = 'Q'
		mine := []byte("new")
		tx.Put("k2", mine)
		mine[0] = 'W'
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	wantValue(t, e, "k", "abc")
	wantValue(t, e, "k2", "new")
}

func testBadKeys(t *testing.T, e storage.Engine) {
	for name, key := range map[string]string{"empty": "", "long": strings.Repeat("k", storage.MaxKeyBytes+1)} {
		want := storage.ErrInvalidKey
		if name == "long" {
			want = storage.ErrTooLarge
		}
		_, err := e.Get(ctx, key)
		wantErr(t, err, want)
		wantErr(t, e.Put(ctx, key, nil), want)
		wantErr(t, e.Delete(ctx, key), want)
		wantErr(t, e.CompareAndSwap(ctx, key, nil, []byte("x")), want)
	}
	longest := strings.Repeat("k", storage.MaxKeyBytes)
	put(t, e, longest, "v")
	wantValue(t, e, longest, "v")
}

func testBinary(t *testing.T, e storage.Engine) {
	keys := []string{"\x00", "\x00\xff", "a\x00b", "a\xffb", "\xff", "\xff\xff", "ü", "\xc3"}
	for _, k := range keys {
		put(t, e, k, k+"\x00\xff")
	}
	slices.Sort(keys)
	got, err := e.List(ctx, "")
	if err != nil || !slices.Equal(got, keys) {
		t.Fatalf("List = %q, %v; want %q", got, err, keys)
	}
	for _, k := range keys {
		wantValue(t, e, k, k+"\x00\xff")
	}
	got, err = e.List(ctx, "\xff")
	if err != nil || !slices.Equal(got, []string{"\xff", "\xff\xff"}) {
		t.Fatalf("List(ff) = %q, %v", got, err)
	}
}

func testListOrder(t *testing.T, e storage.Engine) {
	if got, err := e.List(ctx, ""); err != nil || got == nil || len(got) != 0 {
		t.Fatalf("List of nothing = %v, %v; want an empty list", got, err)
	}
	for _, k := range []string{"b/2", "a", "b/10", "b", "c", "b/1", "B", "b0"} {
		put(t, e, k, "")
	}
	for prefix, want := range map[string][]string{
		"":     {"B", "a", "b", "b/1", "b/10", "b/2", "b0", "c"},
		"b":    {"b", "b/1", "b/10", "b/2", "b0"},
		"b/":   {"b/1", "b/10", "b/2"},
		"b/1":  {"b/1", "b/10"},
		"zzzz": {},
	} {
		if got, err := e.List(ctx, prefix); err != nil || !slices.Equal(got, want) {
			t.Errorf("List(%q) = %q, %v; want %q", prefix, got, err, want)
		}
	}
}

// testScanPages has more keys and bytes than an engine may want to hold at once.
func testScanPages(t *testing.T, e storage.Engine) {
	const n = 1000
	err := e.Update(ctx, func(tx storage.Tx) error {
		for i := range n {
			if err := tx.Put(fmt.Sprintf("p/%05d", i), bytes.Repeat([]byte{byte(i)}, 5000)); err != nil {
				return err
			}
		}
		return tx.Put("q", nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	err = e.Scan(ctx, "p/", func(key string, val []byte) error {
		if want := fmt.Sprintf("p/%05d", i); key != want || len(val) != 5000 || val[4999] != byte(i) {
			return fmt.Errorf("got %q with %d bytes, want %q", key, len(val), want)
		}
		i++
		return nil
	})
	if err != nil || i != n {
		t.Fatalf("saw %d of %d: %v", i, n, err)
	}
	if keys, err := e.List(ctx, "p/"); err != nil || len(keys) != n {
		t.Fatalf("List has %d of %d: %v", len(keys), n, err)
	}
}

func testScanStops(t *testing.T, e storage.Engine) {
	put(t, e, "a", "")
	put(t, e, "b", "")
	stop := errors.New("enough")
	calls := 0
	fn := func(string, []byte) error { calls++; return stop }
	if err := e.Scan(ctx, "", fn); err != stop || calls != 1 {
		t.Fatalf("Scan = %v after %d calls; want the callback's error after 1", err, calls)
	}
	err := e.Update(ctx, func(tx storage.Tx) error { return tx.Scan("", fn) })
	if !errors.Is(err, stop) || calls != 2 {
		t.Fatalf("Tx.Scan = %v after %d calls", err, calls-1)
	}
}

func testScanMayWrite(t *testing.T, e storage.Engine) {
	err := e.Update(ctx, func(tx storage.Tx) error {
		for i := range 600 {
			if err := tx.Put(fmt.Sprintf("k%03d", i), []byte("old")); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	err = e.Scan(ctx, "k", func(key string, _ []byte) error {
		if n++; n%20 > 0 {
			return nil
		}
		return e.Put(ctx, key, bytes.Repeat([]byte("new"), 10000))
	})
	if err != nil || n != 600 {
		t.Fatalf("%d keys: %v", n, err)
	}
	n = 0
	err = e.Update(ctx, func(tx storage.Tx) error {
		return tx.Scan("k", func(key string, _ []byte) error { n++; return tx.Delete(key) })
	})
	if err != nil || n != 600 {
		t.Fatalf("deleted %d keys: %v", n, err)
	}
	if keys, _ := e.List(ctx, ""); len(keys) != 0 {
		t.Fatalf("%d keys are left", len(keys))
	}
}
