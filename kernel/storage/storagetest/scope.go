package storagetest

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/unicity-astrid/astrid-go/kernel/storage"
)

func scoped(t *testing.T, e storage.Engine, ns string, q storage.Quota) *storage.Scope {
	t.Helper()
	s, err := storage.Scoped(e, ns, q)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// RunScope checks storage.Scope over an engine.
func RunScope(t *testing.T, open Open) {
	for _, c := range []struct {
		name string
		test func(*testing.T, storage.Engine)
	}{
		{"Isolation", testScopeIsolation},
		{"Names", testScopeNames},
		{"Watch", testScopeWatch},
		{"ClearPrefix", testScopeClearPrefix},
		{"QuotaKeys", testQuotaKeys},
		{"QuotaBytes", testQuotaBytes},
		{"QuotaHammer", testQuotaHammer},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := open(t)
			defer e.Close()
			c.test(t, e)
		})
	}
	// What the contract says of an engine holds for a view, as far as it is about data.
	for _, c := range []struct {
		name string
		test func(*testing.T, storage.Engine)
	}{
		{"GetPutDelete", testGetPutDelete},
		{"ValuesAreCopies", testValuesAreCopies},
		{"ListOrder", testListOrder},
		{"ScanStops", testScanStops},
		{"ScanMayWrite", testScanMayWrite},
		{"CompareAndSwap", testCompareAndSwap},
		{"UpdateAtomic", testUpdateAtomic},
		{"UpdateSeesItself", testUpdateSeesItself},
		{"TxScanIsStill", testTxScanIsStill},
		{"Cancelled", testCancelled},
		{"HammerCounter", testHammerCounter},
	} {
		t.Run("contract/"+c.name, func(t *testing.T) {
			e := open(t)
			defer e.Close()
			for _, ns := range []string{"m", "n\x01", "na", "o"} {
				put(t, e, ns+"\x00b/9", "foreign")
			}
			s := scoped(t, e, "n", storage.Quota{MaxKeys: 1 << 20, MaxBytes: 1 << 30})
			c.test(t, s)
			checkUsage(t, s)
		})
	}
}

// checkUsage compares the counter with a count.
func checkUsage(t *testing.T, s *storage.Scope) {
	t.Helper()
	var want storage.Usage
	s.Scan(ctx, "", func(k string, v []byte) error {
		want.Keys++
		want.Bytes += int64(len(k) + len(v))
		return nil
	})
	if got, err := s.Usage(ctx); err != nil || got != want {
		t.Fatalf("Usage = %+v, %v; there are %+v", got, err, want)
	}
}

func testScopeIsolation(t *testing.T, e storage.Engine) {
	a := scoped(t, e, "alice:capsule:x", storage.Quota{})
	b := scoped(t, e, "alice:capsule:x2", storage.Quota{})
	put(t, a, "k", "a")
	put(t, b, "k", "b")
	wantValue(t, a, "k", "a")
	wantValue(t, b, "k", "b")
	if keys, err := a.List(ctx, ""); err != nil || !slices.Equal(keys, []string{"k"}) {
		t.Fatalf("List = %q, %v", keys, err)
	}
	if n, err := a.ClearPrefix(ctx, ""); err != nil || n != 1 {
		t.Fatalf("ClearPrefix = %d, %v", n, err)
	}
	wantAbsent(t, a, "k")
	wantValue(t, b, "k", "b")
	if _, err := a.Get(ctx, "k"); strings.Contains(err.Error(), "alice") {
		t.Errorf("the guest's error names the namespace: %v", err)
	}
	a.Close()
	put(t, b, "k", "c") // the engine is not the view's to close
}

func testScopeNames(t *testing.T, e storage.Engine) {
	for _, ns := range []string{"", "a\x00b"} {
		if _, err := storage.Scoped(e, ns, storage.Quota{}); !errors.Is(err, storage.ErrInvalidKey) {
			t.Errorf("namespace %q: %v", ns, err)
		}
	}
	s := scoped(t, e, "ns", storage.Quota{})
	for _, key := range []string{"", "\x00", "a\x00b", "\x00usage\x00ns"} {
		_, err := s.Get(ctx, key)
		wantErr(t, err, storage.ErrInvalidKey)
		wantErr(t, s.Put(ctx, key, nil), storage.ErrInvalidKey)
		wantErr(t, s.Delete(ctx, key), storage.ErrInvalidKey)
		wantErr(t, s.CompareAndSwap(ctx, key, nil, nil), storage.ErrInvalidKey)
		wantErr(t, s.Update(ctx, func(tx storage.Tx) error { return tx.Put(key, nil) }), storage.ErrInvalidKey)
	}
	_, err := s.List(ctx, "\x00")
	wantErr(t, err, storage.ErrInvalidKey)
	_, err = s.Watch(ctx, "\x00")
	wantErr(t, err, storage.ErrInvalidKey)
	wantErr(t, s.Scan(ctx, "\x00", nil), storage.ErrInvalidKey)
	wantErr(t, s.Update(ctx, func(tx storage.Tx) error { return tx.Scan("\x00", nil) }), storage.ErrInvalidKey)
	if _, err := s.ClearPrefix(ctx, "\x00"); !errors.Is(err, storage.ErrInvalidKey) {
		t.Errorf("ClearPrefix: %v", err)
	}
}

func testScopeWatch(t *testing.T, e storage.Engine) {
	s := scoped(t, e, "ns", storage.Quota{})
	ch, err := s.Watch(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	put(t, e, "aa", "")
	put(t, s, "b", "")
	put(t, s, "ab", "1")
	if ev := next(t, ch); ev.Key != "ab" || string(ev.Value) != "1" {
		t.Fatalf("got %+v", ev)
	}
	e.Close()
	wantClosed(t, ch)
}

func testScopeClearPrefix(t *testing.T, e storage.Engine) {
	s := scoped(t, e, "ns", storage.Quota{})
	for _, k := range []string{"a/1", "a/2", "b"} {
		put(t, s, k, "v")
	}
	for _, c := range []struct {
		prefix string
		want   int
	}{{"none", 0}, {"a/", 2}, {"", 1}, {"", 0}} {
		if n, err := s.ClearPrefix(ctx, c.prefix); err != nil || n != c.want {
			t.Fatalf("ClearPrefix(%q) = %d, %v; want %d", c.prefix, n, err, c.want)
		}
		checkUsage(t, s)
	}
}

func testQuotaKeys(t *testing.T, e storage.Engine) {
	s := scoped(t, e, "ns", storage.Quota{MaxKeys: 2})
	put(t, s, "a", "1")
	put(t, s, "b", "1")
	wantErr(t, s.Put(ctx, "c", nil), storage.ErrQuota)
	wantErr(t, s.CompareAndSwap(ctx, "c", nil, []byte("1")), storage.ErrQuota)
	wantAbsent(t, s, "c")
	put(t, s, "a", "overwriting is not growing")
	// Within a transaction only the outcome counts.
	err := s.Update(ctx, func(tx storage.Tx) error { return errors.Join(tx.Put("c", nil), tx.Delete("a")) })
	if err != nil {
		t.Fatal(err)
	}
	// A view with a lower quota can still shrink.
	low := scoped(t, e, "ns", storage.Quota{MaxKeys: 1})
	wantErr(t, low.Put(ctx, "d", nil), storage.ErrQuota)
	if err := low.Delete(ctx, "c"); err != nil {
		t.Fatal(err)
	}
	checkUsage(t, s)
}

func testQuotaBytes(t *testing.T, e storage.Engine) {
	s := scoped(t, e, "ns", storage.Quota{MaxBytes: 10})
	put(t, s, "key", "1234567") // exactly 10
	wantErr(t, s.Put(ctx, "key", []byte("12345678")), storage.ErrQuota)
	wantValue(t, s, "key", "1234567")
	wantErr(t, s.Put(ctx, "k", nil), storage.ErrQuota)
	put(t, s, "key", "123456")
	put(t, s, "k", "")
	checkUsage(t, s)
	other := scoped(t, e, "ns2", storage.Quota{MaxBytes: 10})
	put(t, other, "key", "1234567") // quotas are per namespace
}

// testQuotaHammer has more writers than room: exactly as many succeed as fit.
func testQuotaHammer(t *testing.T, e storage.Engine) {
	s := scoped(t, e, "ns", storage.Quota{MaxKeys: 20})
	var wg sync.WaitGroup
	var mu sync.Mutex
	stored := 0
	for i := range 64 {
		wg.Go(func() {
			err := s.Put(ctx, string(rune('A'+i)), []byte("v"))
			if err != nil && !errors.Is(err, storage.ErrQuota) {
				t.Error(err)
			}
			if err == nil {
				mu.Lock()
				stored++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if stored != 20 {
		t.Errorf("%d keys were stored, 20 fit", stored)
	}
	checkUsage(t, s)
}
