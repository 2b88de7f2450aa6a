package sandbox

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestTry(t *testing.T) {
	dir := t.TempDir()
	os.Chmod(dir, 0o755)
	o := Options{Workspace: filepath.Join(dir, "workspace"), Upper: filepath.Join(dir, "upper"), Work: filepath.Join(dir, "work")}
	for _, d := range []string{o.Workspace, o.Upper, o.Work} {
		os.Mkdir(d, 0o700)
	}
	t0 := time.Now()
	b, err := Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("open", time.Since(t0))
	for range 3 {
		t0 = time.Now()
		c, err := b.Start(Command{Path: "/bin/sh", Argv: []string{"sh", "-c", os.Getenv("SCRIPT")}})
		if err != nil {
			t.Fatal(err)
		}
		<-c.Done()
		fmt.Println("ran", time.Since(t0), c.Exit())
		out, errs, _, _ := c.Output()
		fmt.Printf("%s\nERR %s\n", out, errs)
	}
	t0 = time.Now()
	fmt.Println(b.Close(), time.Since(t0))
}
