package kernel

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/vfs"
)

// TestLinksToOutside: files of the workspace that have another name outside are read by guests and by programs as workspace.hard_links
// says, and whatever it says no write reaches the name outside.
func TestLinksToOutside(t *testing.T) {
	needSandbox(t)
	for _, c := range []struct{ setting, readable string }{
		{"none", "both"}, {"public", "both public"}, {"all", "both private public"}, {"", "both public"},
	} {
		t.Run(c.setting, func(t *testing.T) {
			t.Parallel()
			outer := t.TempDir()
			ws := filepath.Join(outer, "ws")
			noError(t, os.MkdirAll(filepath.Join(ws, "deep/er"), 0o755))
			text := map[string]string{"private": "private text", "public": "public text", "both": "text with two names inside"}
			for name, mode := range map[string]os.FileMode{"private": 0o600, "public": 0o644} {
				noError(t, os.WriteFile(filepath.Join(outer, name), []byte(text[name]), mode))
				noError(t, os.Link(filepath.Join(outer, name), filepath.Join(ws, name)))
			}
			noError(t, os.WriteFile(filepath.Join(ws, "both"), []byte(text["both"]), 0o600))
			noError(t, os.Link(filepath.Join(ws, "both"), filepath.Join(ws, "deep/er/both")))
			k := boot(t, func(o *Options) {
				o.Workspace = ws
				if c.setting != "" {
					put(t, o.Home.ConfigFile(), "[workspace]\nhard_links = \""+c.setting+"\"\n")
				}
			})
			noError(t, k.refreshWorkspace(ws, false))
			tree, _, err := k.files.Workspace(t.Context(), "default", "s")
			noError(t, err)
			v := tree.(*vfs.OverlayVfs)
			check := func(when string) {
				t.Helper()
				for name, want := range text {
					b, err := v.ReadFile(name, 0)
					if strings.Contains(c.readable, name) {
						if err != nil || string(b) != want {
							t.Errorf("%s: a guest reads %s: %q, %v", when, name, b, err)
						}
					} else if len(b) > 0 || !errors.Is(err, vfs.ErrOutside) {
						t.Errorf("%s: a guest reads %s: %q, %v", when, name, b, err)
					}
				}
			}
			check("before")
			tries := `for f in private public both; do echo "$f: $(cat $f 2>/dev/null) $(ln $f linked-$f 2>/dev/null && cat linked-$f)"; done
cp private copied 2>/dev/null; mv private moved 2>/dev/null; ln -f private moved 2>/dev/null; chmod 644 private 2>/dev/null; cat copied moved private 2>/dev/null; true`
			out := output(t, k, "s", tries)
			for name, want := range text {
				if strings.Contains(out, want) != strings.Contains(c.readable, name) {
					t.Errorf("%s in what a program reads: %q", name, out)
				}
			}
			// While the kernel shows the files to programs, guests write through its mount.
			if !strings.Contains(c.readable, "private") {
				check("mounted")
				if f, err := v.OpenFile("private", os.O_RDWR, 0); !errors.Is(err, vfs.ErrOutside) {
					t.Errorf("open for reading and writing: %v, %v", f, err)
				}
				if err := v.Rename("private", "renamed"); !errors.Is(err, vfs.ErrOutside) {
					t.Errorf("rename: %v", err)
				}
				if err := v.Chmod("private", 0o644); !errors.Is(err, vfs.ErrOutside) {
					t.Errorf("chmod: %v", err)
				}
				if b, err := v.ReadFile("renamed", 0); err == nil {
					t.Errorf("a guest reads %q after a rename", b)
				}
			}
			noError(t, v.WriteFile("private", []byte("the agent's own"), 0o644))
			if b, err := v.ReadFile("private", 0); err != nil || string(b) != "the agent's own" {
				t.Errorf("a guest reads what it wrote: %q, %v", b, err)
			}
			if got := output(t, k, "s", "cat private"); got != "the agent's own" {
				t.Errorf("a program reads what the guest wrote: %q", got)
			}
			for _, name := range []string{"private", "public"} {
				if b, err := os.ReadFile(filepath.Join(outer, name)); err != nil || string(b) != text[name] {
					t.Errorf("%s outside is now %q, %v", name, b, err)
				}
			}
		})
	}
}

// TestManyLinksToOutside: where more files are kept from programs than can be covered, none runs, and the text says what to do.
func TestManyLinksToOutside(t *testing.T) {
	needSandbox(t)
	outer := t.TempDir()
	ws := filepath.Join(outer, "ws")
	noError(t, os.Mkdir(ws, 0o755))
	noError(t, os.WriteFile(filepath.Join(outer, "private"), []byte("x"), 0o600))
	for i := range maxConcealed + 1 {
		noError(t, os.Link(filepath.Join(outer, "private"), filepath.Join(ws, strings.Repeat("n", 1+i%200)+strings.Repeat("m", i/200))))
	}
	k := boot(t, func(o *Options) { o.Workspace = ws })
	noError(t, k.refreshWorkspace(ws, false))
	if _, err := tryRun(t, k, "s", "true", false); err == nil || !strings.Contains(err.Error(), "workspace.hard_links") {
		t.Errorf("a program runs: %v", err)
	}
}
