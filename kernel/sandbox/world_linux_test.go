package sandbox

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// openDir is a temporary directory that every user can reach.
func openDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "box")
	ok(t, err)
	ok(t, os.Chmod(dir, 0o755))
	t.Cleanup(func() { os.RemoveAll(dir) })
	dir, err = filepath.EvalSymlinks(dir)
	ok(t, err)
	return dir
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	src, err := os.Open(from)
	ok(t, err)
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	ok(t, err)
	_, err = io.Copy(dst, src)
	ok(t, err)
	ok(t, dst.Close())
}

// world is a workspace with the layers of an overlay.
type world struct {
	t   testing.TB
	dir string
	o   Options
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, dir: openDir(t)}
	w.o = Options{Workspace: filepath.Join(w.dir, "workspace"), Upper: filepath.Join(w.dir, "upper"), Work: filepath.Join(w.dir, "work")}
	for _, d := range []string{w.o.Workspace, w.o.Upper, w.o.Work} {
		ok(t, os.Mkdir(d, 0o755))
	}
	return w
}

func (w *world) open() *Box {
	w.t.Helper()
	b, err := Open(context.Background(), w.o)
	ok(w.t, err)
	w.t.Cleanup(func() { b.Close() })
	return b
}

// sh starts a script.
func sh(t testing.TB, b *Box, script string) *Child {
	t.Helper()
	c, err := b.Start(Command{Path: "/bin/sh", Argv: []string{"sh", "-c", script}})
	ok(t, err)
	return c
}

// finish waits for a child and returns its status and all that it wrote.
func finish(t testing.TB, c *Child) (int, string) {
	t.Helper()
	select {
	case <-c.Done():
	case <-time.After(60 * time.Second):
		c.Kill()
		t.Fatal("it did not end")
	}
	ok(t, c.Exit().Err)
	out, errs, _, _ := c.Output()
	return c.Exit().Code, string(out) + string(errs)
}
