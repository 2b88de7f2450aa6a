package storage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func openFile(t *testing.T, path string) *boltEngine {
	t.Helper()
	e, err := Open(context.Background(), "bolt:"+path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e.(*boltEngine)
}

// TestGroupCommit: while one commit is held up, 64 writers gather and then share the next.
func TestGroupCommit(t *testing.T) {
	ctx := context.Background()
	e := openFile(t, filepath.Join(t.TempDir(), "state.db"))
	inside, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		e.Update(ctx, func(Tx) error { close(inside); <-release; return nil })
	})
	<-inside
	before := writesOf(e)
	for i := range 64 {
		wg.Go(func() {
			if err := e.Put(ctx, fmt.Sprint("k", i), []byte("v")); err != nil {
				t.Error(err)
			}
		})
	}
	for queued := 0; queued < 64; {
		e.q.mu.Lock()
		queued = len(e.q.jobs)
		e.q.mu.Unlock()
		time.Sleep(time.Millisecond)
	}
	close(release)
	wg.Wait()
	// A commit writes its pages in a few runs, and the meta page. 64 commits would make at least 128 writes.
	if writes := writesOf(e) - before; writes > 16 {
		t.Errorf("64 concurrent puts made %d writes to the file", writes)
	}
	if keys, _ := e.List(ctx, "k"); len(keys) != 64 {
		t.Errorf("%d of 64 keys are there", len(keys))
	}
}

func writesOf(e *boltEngine) int64 {
	stats := e.db.Stats()
	return stats.TxStats.GetWrite()
}

// TestGroupFailureIsAlone: a transaction that fails takes nothing from others in its group.
func TestGroupFailureIsAlone(t *testing.T) {
	ctx := context.Background()
	e := openFile(t, filepath.Join(t.TempDir(), "state.db"))
	var wg sync.WaitGroup
	for i := range 90 {
		wg.Go(func() {
			err := e.Update(ctx, func(tx Tx) error {
				tx.Put(fmt.Sprintf("k%02d", i), nil)
				switch i % 3 {
				case 1:
					return errors.New("no")
				case 2:
					panic("oh")
				}
				return nil
			})
			if (err == nil) != (i%3 == 0) {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if keys, _ := e.List(ctx, ""); len(keys) != 30 {
		t.Errorf("%d keys are there, 30 were committed", len(keys))
	}
}

func TestBoltFileMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "state.db")
	e := openFile(t, path)
	e.Put(context.Background(), "a", []byte("1"))
	e.Close()
	wantMode(t, path, 0o600)
	wantMode(t, filepath.Dir(path), 0o700|os.ModeDir)
	os.Chmod(path, 0o644)
	openFile(t, path).Close()
	wantMode(t, path, 0o600)
}

func wantMode(t *testing.T, path string, want os.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil || info.Mode() != want {
		t.Errorf("%s has mode %v, %v; want %v", path, info.Mode(), err, want)
	}
}

func TestBoltLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	openFile(t, path)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err := Open(ctx, "bolt:"+path)
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "astrid stop") {
		t.Errorf("opening twice: %v", err)
	}
}

func TestBoltReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	e := openFile(t, path)
	e.Put(context.Background(), "a", []byte("1"))
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-e.idle:
	default:
		t.Error("the committer outlives the engine")
	}
	if got, err := openFile(t, path).Get(context.Background(), "a"); err != nil || string(got) != "1" {
		t.Errorf("after reopening: %q, %v", got, err)
	}
}

// TestBoltDamage damages the file in every way that a disk has, and wants an error with advice, never a panic.
func TestBoltDamage(t *testing.T) {
	ctx := context.Background()
	fill := func(path string) {
		e := openFile(t, path)
		e.Update(ctx, func(tx Tx) error {
			for i := range 200 {
				tx.Put(fmt.Sprintf("k%04d", i), make([]byte, 1000))
			}
			return nil
		})
		e.Close()
	}
	for name, damage := range map[string]func(data []byte) []byte{
		"text":       func([]byte) []byte { return []byte(strings.Repeat("not a database\n", 2000)) },
		"headers":    func(d []byte) []byte { clear(d[:8192]); return d },
		"short file": func([]byte) []byte { return []byte("x") },
		"truncated":  func(d []byte) []byte { return d[:len(d)/2] },
		"two pages":  func(d []byte) []byte { return d[:8192] },
		"pages":      func(d []byte) []byte { overwrite(d[8192:]); return d },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "state.db")
			fill(path)
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, damage(data), 0o600); err != nil {
				t.Fatal(err)
			}
			err = useAll(ctx, path)
			if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "restore a backup") || !strings.Contains(err.Error(), path) {
				t.Errorf("error is %v", err)
			}
		})
	}
}

// TestBoltDamageWhileOpen takes the file's pages away under a running engine: every call fails, no call kills the process or hangs.
func TestBoltDamageWhileOpen(t *testing.T) {
	ctx := context.Background()
	for name, first := range map[string]func(e Engine) error{
		"get":  func(e Engine) error { _, err := e.Get(ctx, "k0100"); return err },
		"scan": func(e Engine) error { return e.Scan(ctx, "", func(string, []byte) error { return nil }) },
		"put":  func(e Engine) error { return e.Put(ctx, "k0100", []byte("x")) },
		"update": func(e Engine) error {
			return e.Update(ctx, func(tx Tx) error { _, err := tx.Get("k0100"); return err })
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "state.db")
			e := openFile(t, path)
			e.Update(ctx, func(tx Tx) error {
				for i := range 2000 {
					tx.Put(fmt.Sprintf("k%04d", i), make([]byte, 1000))
				}
				return nil
			})
			if err := os.Truncate(path, 8192); err != nil {
				t.Fatal(err)
			}
			if err := first(e); !errors.Is(err, ErrCorrupt) {
				t.Errorf("first call: %v", err)
			}
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					if err := e.Put(ctx, "k", nil); !errors.Is(err, ErrCorrupt) {
						t.Errorf("a later write: %v", err)
					}
					if _, err := e.Get(ctx, "k"); !errors.Is(err, ErrCorrupt) {
						t.Errorf("a later read: %v", err)
					}
				})
			}
			wg.Wait()
			if err := e.Close(); !errors.Is(err, ErrCorrupt) {
				t.Errorf("Close: %v", err)
			}
		})
	}
}

func overwrite(b []byte) {
	for i := range b {
		b[i] = byte(i*7 + 13)
	}
}

// useAll opens, reads and writes; the first error ends it.
func useAll(ctx context.Context, path string) error {
	e, err := Open(ctx, "bolt:"+path)
	if err != nil {
		return err
	}
	defer e.Close()
	if err := e.Scan(ctx, "", func(string, []byte) error { return nil }); err != nil {
		if second := e.Put(ctx, "k0001", []byte("x")); !errors.Is(second, ErrCorrupt) {
			return fmt.Errorf("after %v a write returned %v", err, second)
		}
		return err
	}
	return e.Put(ctx, "k0001", []byte("x"))
}

func TestBoltNotRegular(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(context.Background(), "bolt:"+dir); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("opening a directory: %v", err)
	}
}

// BenchmarkPut compares writers that share commits with one that has each for itself.
func BenchmarkPut(b *testing.B) {
	for _, writers := range []int{1, 64} {
		b.Run(fmt.Sprint(writers), func(b *testing.B) {
			e, err := Open(context.Background(), "bolt:"+filepath.Join(b.TempDir(), "state.db"))
			if err != nil {
				b.Fatal(err)
			}
			defer e.Close()
			b.SetParallelism((writers + 1) / 2)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := e.Put(context.Background(), "k", []byte("v")); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
