package kernel

import (
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/vfs"
)

// seedTree makes the files that the sequences begin with.
func seedTree(t *testing.T, root string) {
	t.Helper()
	for _, d := range []string{"a/b/c", "d", "e/f"} {
		noError(t, os.MkdirAll(filepath.Join(root, d), 0o755))
	}
	for name, text := range map[string]string{"a/b/c/d": "deep", "a/x": "ax", "d/y": "dy", "e/f/z": "fz", "b": "bee"} {
		write(t, filepath.Join(root, name), text)
	}
	noError(t, os.Symlink("x", filepath.Join(root, "a/link")))
}

// picture is a tree with contents, modes and links.
func picture(t *testing.T, root string) map[string]string {
	t.Helper()
	pic := map[string]string{}
	noError(t, filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == root {
			return err
		}
		fi, err := d.Info()
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, p)
		switch {
		case fi.Mode()&fs.ModeSymlink != 0:
			to, err := os.Readlink(p)
			pic[rel] = "-> " + to
			return err
		case fi.IsDir():
			pic[rel] = fi.Mode().String()
		default:
			b, err := os.ReadFile(p)
			pic[rel] = fi.Mode().String() + " " + string(b)
			return err
		}
		return nil
	}))
	return pic
}

func difference(a, b map[string]string) string {
	var out []string
	for _, p := range slices.Sorted(maps.Keys(a)) {
		if a[p] != b[p] {
			out = append(out, fmt.Sprintf("%s: %q, and %q", p, a[p], b[p]))
		}
	}
	for _, p := range slices.Sorted(maps.Keys(b)) {
		if _, ok := a[p]; !ok {
			out = append(out, fmt.Sprintf("%s: nothing, and %q", p, b[p]))
		}
	}
	return strings.Join(out, "\n")
}

// someName draws from few names, so that operations meet.
func someName(r *rand.Rand) string {
	parts := make([]string, 1+r.IntN(3))
	for i := range parts {
		parts[i] = string("abcdef"[r.IntN(6)])
	}
	return strings.Join(parts, "/")
}

// childStep is one line of shell. What it fails at, it fails at in any directory.
func childStep(r *rand.Rand) string {
	n := someName(r)
	return fmt.Sprintf([]string{
		"echo child > %[1]s", "echo more >> %[1]s", "rm -rf %[1]s", "rm -f %[1]s", "mkdir -p %[1]s", "rmdir %[1]s",
		"mv %[1]s %[2]s", "cp -r %[1]s %[2]s", "chmod 755 %[1]s", "chmod 750 %[1]s", "ln -s b %[1]s", "ln %[1]s %[2]s", "mv -T %[1]s %[2]s",
		"rm -rf %[1]s; mkdir %[1]s; echo again > %[1]s/new", "tac %[1]s > %[2]s",
	}[r.IntN(15)], n, someName(r))
}

// guestStep does the same to two trees.
func guestStep(r *rand.Rand, trees ...vfs.Vfs) string {
	n, k, text := someName(r), r.IntN(4), fmt.Sprintf("guest %d", r.IntN(1000))
	var errs []error
	for _, v := range trees {
		var err error
		switch k {
		case 0, 1:
			if dir := filepath.Dir(n); dir != "." {
				err = v.MkdirAll(dir, 0o755)
			}
			if err == nil {
				err = v.WriteFile(n, []byte(text), 0o644)
			}
		case 2:
			err = v.MkdirAll(n, 0o755)
		case 3:
			err = v.Remove(n)
		}
		errs = append(errs, err)
	}
	note := fmt.Sprintf("guest %d %s: %v", k, n, errs)
	if (errs[0] == nil) != (errs[1] == nil) {
		note += "  <- differ"
	}
	return note
}

// TestSessionsAreLikePlainDirectories: random sequences by programs in the sandbox and by guests, in turn and side by side with a
// program that keeps the mount alive, give what they give in a plain directory; a commit makes the workspace that, and a
// discard leaves it as it was.
func TestSessionsAreLikePlainDirectories(t *testing.T) {
	needSandbox(t)
	for seed := range uint64(5) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 7))
			k := boot(t)
			ws, plain := k.opts.Workspace, t.TempDir()
			seedTree(t, ws)
			seedTree(t, plain)
			before := picture(t, ws)
			session, err := k.files.Workspace(t.Context(), "default", "s")
			noError(t, err)
			model, err := vfs.NewHost(plain, vfs.HostOptions{HardLinks: true, NoSync: true})
			noError(t, err)
			defer model.Close()
			if seed%2 == 1 {
				p := runIn(t, k, "s", "echo up; sleep 1000", true)
				waitOutput(t, p, "up")
			}
			var log []string
			for range 15 {
				var script []string
				for range 1 + r.IntN(5) {
					script = append(script, childStep(r))
				}
				text := strings.Join(script, "\n")
				output(t, k, "s", "umask 022\n("+text+"\n) >/dev/null 2>&1 || true")
				cmd := exec.Command("sh", "-c", "umask 022\n("+text+"\n) >/dev/null 2>&1 || true")
				cmd.Dir = plain
				noError(t, cmd.Run())
				log = append(log, script...)
				for range r.IntN(4) {
					log = append(log, guestStep(r, session, model))
				}
			}
			if d := difference(before, picture(t, ws)); d != "" {
				t.Fatalf("the workspace changed:\n%s", d)
			}
			k.processes.end(sessionKey{"default", "s"}, errDeserted)
			if seed == 4 {
				if _, err := k.discardOverlay(t.Context(), "default", mustJSON(t, abi.OverlaySelector{Session: "s"})); err != nil {
					waitQuiet(t, k)
					_, err = k.discardOverlay(t.Context(), "default", mustJSON(t, abi.OverlaySelector{Session: "s"}))
					noError(t, err)
				}
				if d := difference(before, picture(t, ws)); d != "" {
					t.Fatalf("after the discard:\n%s", d)
				}
				return
			}
			waitQuiet(t, k)
			want := picture(t, plain)
			out := commitAll(t, k, "s")
			if out.SkippedCount != 0 || out.ConflictCount != 0 || out.Remaining != 0 {
				t.Errorf("commit: %+v", out)
			}
			if d := difference(want, picture(t, ws)); d != "" {
				t.Fatalf("the model, and the workspace:\n%s\n\n%s", d, strings.Join(log, "\n"))
			}
		})
	}
}

// waitQuiet waits until no program runs in the session.
func waitQuiet(t *testing.T, k *Kernel) {
	t.Helper()
	for k.quiet(t.Context(), "default", "s") != nil {
		if t.Context().Err() != nil {
			t.Fatal("programs do not end")
		}
	}
}
