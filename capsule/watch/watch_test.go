package watch

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// watching starts a watcher whose reports come on the channel, and waits until it hears.
func watching(t *testing.T, o Options) chan struct{} {
	t.Helper()
	reports := make(chan struct{}, 64)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Watch(ctx, o, func(context.Context) { reports <- struct{}{} }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("watch: %v", err)
		}
	})
	probe := filepath.Join(o.Roots[0], "probe")
	for {
		write(t, probe, time.Now().String())
		select {
		case <-reports:
			drain(reports, o.Rest)
			return reports
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// drain takes reports until none has come for some rests.
func drain(reports chan struct{}, rest time.Duration) (n int) {
	for {
		select {
		case <-reports:
			n++
		case <-time.After(10 * rest):
			return n
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func wait(t *testing.T, reports chan struct{}, what string) {
	t.Helper()
	select {
	case <-reports:
	case <-time.After(20 * time.Second):
		t.Fatalf("%s: no report", what)
	}
}

func TestWatch(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "old", "deep"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(root, "dist"), 0o700); err != nil {
		t.Fatal(err)
	}
	reports := watching(t, Options{Roots: []string{root}, Rest: 20 * time.Millisecond})
	write(t, filepath.Join(root, "old", "deep", "a.go"), "x")
	wait(t, reports, "a file far below")
	drain(reports, 20*time.Millisecond)
	if err := os.Mkdir(filepath.Join(root, "new"), 0o700); err != nil {
		t.Fatal(err)
	}
	wait(t, reports, "a new directory")
	write(t, filepath.Join(root, "new", "b.go"), "x")
	wait(t, reports, "a file in it")
	if err := os.Remove(filepath.Join(root, "new", "b.go")); err != nil {
		t.Fatal(err)
	}
	wait(t, reports, "a removal")
	drain(reports, 20*time.Millisecond)
	for _, name := range []string{"dist/out.wasm", "x.go~", ".x.go.swp", ".tmp-1"} {
		write(t, filepath.Join(root, name), "x")
	}
	if n := drain(reports, 20*time.Millisecond); n != 0 {
		t.Errorf("%d reports of what does not matter", n)
	}
}

func TestWatchDepth(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "one", "two"), 0o700); err != nil {
		t.Fatal(err)
	}
	reports := watching(t, Options{Roots: []string{root}, Depth: 1, Rest: 20 * time.Millisecond})
	write(t, filepath.Join(root, "one", "two", "f"), "x")
	if n := drain(reports, 20*time.Millisecond); n != 0 {
		t.Errorf("%d reports from too far below", n)
	}
	write(t, filepath.Join(root, "one", "f"), "x")
	wait(t, reports, "one below")
}

func TestWatchRefuses(t *testing.T) {
	err := Watch(t.Context(), Options{Roots: []string{filepath.Join(t.TempDir(), "absent")}}, nil)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

func TestDigest(t *testing.T) {
	dir := t.TempDir()
	digest := func() string {
		t.Helper()
		d, err := Digest(dir)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	write(t, filepath.Join(dir, "a"), "1")
	one := digest()
	write(t, filepath.Join(dir, "a"), "1")
	write(t, filepath.Join(dir, "a~"), "old")
	if digest() != one {
		t.Error("nothing changed, and yet")
	}
	write(t, filepath.Join(dir, "a"), "2")
	two := digest()
	if err := os.Rename(filepath.Join(dir, "a"), filepath.Join(dir, "b")); err != nil {
		t.Fatal(err)
	}
	if two == one || digest() == two {
		t.Error("a change does not show")
	}
	if _, err := Digest(filepath.Join(dir, "absent")); err == nil {
		t.Error("no directory, no error")
	}
}
