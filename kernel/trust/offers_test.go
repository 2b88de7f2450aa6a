package trust

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestOffers: only plain directories with a manifest and a name that nothing obeys are mentioned, each once.
func TestOffers(t *testing.T) {
	s, ws := open(t)
	mention := func(want ...string) {
		t.Helper()
		if got, err := s.Mention(ws); err != nil || !slices.Equal(got, want) {
			t.Errorf("mentioned %q, %v; want %q", got, err, want)
		}
	}
	mention()
	dir := filepath.Join(ws, OffersDir)
	put(t, filepath.Join(dir, "notes/Capsule.toml"), "\x1b[2J = [")
	for _, name := range []string{"--yes", "-y", "a\x1b[2Jb", "a\nb", ".hidden", "a b", "$(id)", "ü", strings.Repeat("x", 65)} {
		put(t, filepath.Join(dir, name, "Capsule.toml"), "")
	}
	put(t, filepath.Join(dir, "file"), "")
	ok(t, os.MkdirAll(filepath.Join(dir, "empty"), 0o755))
	ok(t, os.MkdirAll(filepath.Join(dir, "pipe"), 0o755))
	ok(t, unix.Mkfifo(filepath.Join(dir, "pipe/Capsule.toml"), 0o644))
	ok(t, os.Symlink("notes", filepath.Join(dir, "link")))
	mention("notes")
	mention()
	put(t, filepath.Join(dir, "mail/Capsule.toml"), "")
	mention("mail")
	ok(t, os.RemoveAll(filepath.Join(dir, "mail")))
	mention()
	if was, err := s.Forget(ws); was || err != nil {
		t.Errorf("forget: %v, %v", was, err)
	}
	mention("notes")

	for i := range 2 * MaxOffers {
		put(t, filepath.Join(dir, fmt.Sprintf("many%03d", i), "Capsule.toml"), "")
	}
	if got, err := Offers(ws); err != nil || len(got) != MaxOffers {
		t.Errorf("%d offers, %v", len(got), err)
	}
}

// TestOffersOutside: a project lends nothing from elsewhere, and what is no directory is said.
func TestOffersOutside(t *testing.T) {
	s, ws := open(t)
	elsewhere := t.TempDir()
	put(t, filepath.Join(elsewhere, "x/Capsule.toml"), "")
	ok(t, os.Mkdir(filepath.Join(ws, ".astrid"), 0o755))
	ok(t, os.Symlink(elsewhere, filepath.Join(ws, OffersDir)))
	if got, err := s.Mention(ws); err == nil || got != nil {
		t.Errorf("a link out: %q, %v", got, err)
	}
	ok(t, os.Remove(filepath.Join(ws, OffersDir)))
	ok(t, unix.Mkfifo(filepath.Join(ws, OffersDir), 0o644))
	if got, err := s.Mention(ws); err == nil || got != nil {
		t.Errorf("a pipe: %q, %v", got, err)
	}
}
