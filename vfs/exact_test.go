package vfs

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestExact: a name that was resolved is not led astray by links that come after that, in
// either layer, as its last component or on the way.
func TestExact(t *testing.T) {
	v, lower := newOverlay(t, OverlayOptions{})
	must(t, v.MkdirAll("secret", 0o755))
	must(t, v.WriteFile("secret/key", []byte("sk"), 0o600))
	must(t, v.MkdirAll("public", 0o755))
	must(t, v.WriteFile("public/key", []byte("pk"), 0o644))
	x := v.Exact()
	if b, err := x.ReadFile("public/key", 0); err != nil || string(b) != "pk" {
		t.Fatalf("without a link: %q, %v", b, err)
	}
	must(t, v.RemoveAll("public"))
	must(t, v.Symlink("secret", "public"))
	must(t, v.Symlink("secret/key", "last"))
	must(t, os.Symlink("a", filepath.Join(lower, "below")))
	if b, err := v.ReadFile("public/key", 0); err != nil || string(b) != "sk" {
		t.Fatalf("the link leads nowhere: %q, %v", b, err)
	}
	for _, name := range []string{"public/key", "last", "below/b/a"} {
		_, rerr := x.ReadFile(name, 0)
		_, serr := x.Stat(name)
		for what, err := range map[string]error{"read": rerr, "stat": serr, "write": x.WriteFile(name, []byte("x"), 0o644)} {
			if !errors.Is(err, ErrReplaced) {
				t.Errorf("%s of %s: %v", what, name, err)
			}
		}
	}
	for what, err := range map[string]error{
		"remove": x.Remove("public/key"), "mkdir": x.MkdirAll("public/new", 0o755), "list": func() error { _, err := x.ReadDir("public"); return err }(),
	} {
		if !errors.Is(err, ErrReplaced) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if b, err := v.ReadFile("secret/key", 0); err != nil || string(b) != "sk" {
		t.Errorf("the file behind the link is %q, %v", b, err)
	}
	must(t, x.Remove("last")) // the link itself
}
