package client

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unicity-astrid/astrid-go/kernel/home"
)

// TestPatience: a daemon that compiles is waited for, one that does nothing is not.
func TestPatience(t *testing.T) {
	h, err := home.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(h.CacheDir(), "code")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	const limit = time.Minute
	given := errors.New("nothing moves")
	synctest.Test(t, func(t *testing.T) { // on a clock of its own
		ctx, cancel := patience(context.Background(), h, limit, given)
		defer cancel()
		for i := range 10 {
			at := time.Now().Add(time.Duration(i) * time.Second) // as if something were put there
			if err := os.Chtimes(dir, at, at); err != nil {
				t.Fatal(err)
			}
			time.Sleep(limit / 2)
			if ctx.Err() != nil {
				t.Fatal("given up while something moved")
			}
		}
		time.Sleep(2 * limit)
		if !errors.Is(context.Cause(ctx), given) {
			t.Errorf("nothing moved for %v: %v", 2*limit, context.Cause(ctx))
		}
	})
}
