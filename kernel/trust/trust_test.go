package trust

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/unicity-astrid/astrid-go/kernel/home"
)

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	ok(t, os.MkdirAll(filepath.Dir(path), 0o755))
	ok(t, os.WriteFile(path, []byte(text), 0o644))
}

func open(t *testing.T) (Store, string) {
	t.Helper()
	h, err := home.New(filepath.Join(t.TempDir(), "home"))
	ok(t, err)
	ws, err := filepath.EvalSymlinks(t.TempDir())
	ok(t, err)
	return Open(h), ws
}

func TestAnswerIsAboutTheFilesAsTheyWere(t *testing.T) {
	s, ws := open(t)
	state := func(want State, changed ...string) Status {
		t.Helper()
		st, err := s.Status(ws)
		ok(t, err)
		if st.State != want || !slices.Equal(st.Changed, changed) {
			t.Fatalf("state %s, changed %q; want %s, %q", st.State, st.Changed, want, changed)
		}
		if st.Used() != (want == Nothing || want == Trusted) || st.Asks() != (want == New || want == Changed) {
			t.Errorf("%s: used %v, asks %v", want, st.Used(), st.Asks())
		}
		return st
	}
	put(t, filepath.Join(ws, "README.md"), "x")
	put(t, filepath.Join(ws, ".astrid/config.toml"), "x")
	put(t, filepath.Join(ws, ".astrid/capsules/c/Capsule.toml"), "x")
	state(Nothing)
	put(t, filepath.Join(ws, "AGENTS.md"), "be kind")
	put(t, filepath.Join(ws, ".agents/skills/s/SKILL.md"), "skill")
	shown := state(New)
	if len(shown.Files) != 2 {
		t.Fatalf("files %+v", shown.Files)
	}
	put(t, filepath.Join(ws, "AGENTS.md"), "be evil") // while the person reads
	ok(t, s.Answer(shown, true, time.Now()))
	state(Changed, "AGENTS.md")
	put(t, filepath.Join(ws, "AGENTS.md"), "be kind")
	state(Trusted)
	put(t, filepath.Join(ws, ".astrid/commands/x.md"), "run it")
	state(Changed, ".astrid/commands/x.md")
	ok(t, os.Remove(filepath.Join(ws, ".astrid/commands/x.md")))
	ok(t, os.RemoveAll(filepath.Join(ws, ".agents")))
	state(Changed, ".agents/skills/s/SKILL.md")

	put(t, filepath.Join(ws, ".astrid/memory.md"), "one")
	ok(t, s.Answer(state(Changed, ".agents/skills/s/SKILL.md", ".astrid/memory.md"), false, time.Now()))
	state(Declined)
	put(t, filepath.Join(ws, ".astrid/memory.md"), "two") // agents do that
	state(Declined)
	ok(t, s.Answer(state(Declined), true, time.Now()))
	ok(t, os.Remove(filepath.Join(ws, ".astrid/memory.md")))
	state(Trusted)
	if was, err := s.Forget(ws); !was || err != nil {
		t.Errorf("forget: %v %v", was, err)
	}
	if was, err := s.Forget(ws); was || err != nil {
		t.Errorf("forget again: %v %v", was, err)
	}
	state(New)
}

// TestHostileProjects: what cannot be pinned is not trusted, and looking at it neither blocks nor leaves the project.
func TestHostileProjects(t *testing.T) {
	for name, make := range map[string]func(t *testing.T, ws string){
		"link out":         func(t *testing.T, ws string) { ok(t, os.Symlink("/etc/passwd", filepath.Join(ws, "AGENTS.md"))) },
		"climbing link":    func(t *testing.T, ws string) { ok(t, os.Symlink("../../x", filepath.Join(ws, "AGENTS.md"))) },
		"directory link":   func(t *testing.T, ws string) { ok(t, os.Symlink("..", filepath.Join(ws, ".astrid/skills"))) },
		"linked directory": func(t *testing.T, ws string) { ok(t, os.Symlink(".", filepath.Join(ws, ".agents"))) },
		"dangling":         func(t *testing.T, ws string) { ok(t, os.Symlink("nowhere", filepath.Join(ws, ".astrid/AGENTS.md"))) },
		"fifo":             func(t *testing.T, ws string) { ok(t, unix.Mkfifo(filepath.Join(ws, ".astrid/x"), 0o644)) },
		"directory":        func(t *testing.T, ws string) { ok(t, os.Mkdir(filepath.Join(ws, "AGENTS.md"), 0o755)) },
		"huge":             func(t *testing.T, ws string) { put(t, filepath.Join(ws, "AGENTS.md"), strings.Repeat("x", MaxFile+1)) },
		"many": func(t *testing.T, ws string) {
			for i := range MaxFiles + 1 {
				put(t, filepath.Join(ws, fmt.Sprintf(".astrid/%d", i)), "")
			}
		},
		"much": func(t *testing.T, ws string) {
			for i := range MaxBytes/MaxFile + 1 {
				put(t, filepath.Join(ws, fmt.Sprintf(".astrid/%d", i)), strings.Repeat("x", MaxFile))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, ws := open(t)
			ok(t, os.Mkdir(filepath.Join(ws, ".astrid"), 0o755))
			make(t, ws)
			st, err := s.Status(ws)
			if err == nil || st.Used() {
				t.Errorf("%+v, %v", st, err)
			}
		})
	}
	// A link within the project is the usual way to serve several agents with one file.
	s, ws := open(t)
	put(t, filepath.Join(ws, "CLAUDE.md"), "one")
	ok(t, os.Symlink("CLAUDE.md", filepath.Join(ws, "AGENTS.md")))
	st, err := s.Status(ws)
	ok(t, err)
	ok(t, s.Answer(st, true, time.Now()))
	put(t, filepath.Join(ws, "CLAUDE.md"), "two")
	if st, err = s.Status(ws); err != nil || st.State != Changed {
		t.Errorf("after the link's target changed: %+v, %v", st, err)
	}
	ok(t, os.WriteFile(s.file(ws), []byte(`{"workspace":"/elsewhere","trusted":true}`), 0o600))
	if st, err := s.Status(ws); err == nil || st.Used() {
		t.Errorf("somebody else's answer: %+v, %v", st, err)
	}
}
