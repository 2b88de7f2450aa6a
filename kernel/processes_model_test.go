package kernel

import (
	"encoding/json"
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
	"github.com/unicity-astrid/astrid-go/capsule"
	capstore "github.com/unicity-astrid/astrid-go/capsule/store"
	"github.com/unicity-astrid/astrid-go/kernel/home"
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

// guestStep does one thing through the host functions of a guest and to a plain directory. Both must say yes, or both no.
func guestStep(t *testing.T, r *rand.Rand, k *Kernel, session string, plain vfs.Vfs) string {
	t.Helper()
	n, text := someName(r), fmt.Sprintf("guest %d", r.IntN(1000))
	type call struct {
		Fn     string   `json:"fn"`
		Params []string `json:"params"`
	}
	var calls []call
	var errs []error
	switch r.IntN(4) {
	case 0, 1:
		if dir := filepath.Dir(n); dir != "." {
			calls = append(calls, call{"astrid_fs_mkdir", []string{dir}})
			errs = append(errs, plain.MkdirAll(dir, 0o755))
		}
		calls = append(calls, call{"astrid_write_file", []string{n, text}})
		errs = append(errs, plain.WriteFile(n, []byte(text), 0o644))
	case 2:
		calls = append(calls, call{"astrid_fs_mkdir", []string{n}})
		errs = append(errs, plain.MkdirAll(n, 0o755))
	case 3:
		calls = append(calls, call{"astrid_fs_unlink", []string{n}})
		errs = append(errs, plain.Remove(n))
	}
	v, err := k.dispatcher.Invoke(t.Context(), "everything", &capsule.Invocation{
		Action: "sequence", Payload: mustJSON(t, map[string]any{"calls": calls}), Principal: home.DefaultPrincipal, Session: session})
	noError(t, err)
	var done []struct {
		Code    abi.Code
		Message string
	}
	noError(t, json.Unmarshal(v.Payload, &done))
	note := fmt.Sprintf("guest %v: %v, %v", calls, done, errs)
	for i := range calls {
		if (done[i].Code == abi.OK) != (errs[i] == nil) {
			t.Errorf("the two differ: %s", note)
		}
	}
	return note
}

// everythingGuest installs the guest that calls any host function.
func everythingGuest(t *testing.T, o *Options) {
	t.Helper()
	dir := t.TempDir()
	manifest, err := os.ReadFile("../testdata/guests/everything/Capsule.toml")
	noError(t, err)
	write(t, filepath.Join(dir, capsule.ManifestName), string(manifest))
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-ldflags=-s -w", "-o", filepath.Join(dir, "everything.wasm"), "../testdata/guests/everything")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	noError(t, o.Home.Ensure())
	p, err := o.Home.Principal(home.DefaultPrincipal)
	noError(t, err)
	st := capstore.Store{Dir: p.CapsulesDir(), BinDir: o.Home.BinDir(), WitDir: o.Home.WitDir()}
	_, err = st.InstallPath(t.Context(), dir, capstore.InstallOptions{})
	noError(t, err)
}

// TestSessionsAreLikePlainDirectories: random sequences by programs in the sandbox and by a guest, in turn and side by side with a
// program that keeps the mount alive, give what they give in a plain directory; a commit makes the workspace that, and a
// discard leaves it as it was.
func TestSessionsAreLikePlainDirectories(t *testing.T) {
	needSandbox(t)
	k := boot(t, func(o *Options) { everythingGuest(t, o) })
	for seed := range uint64(5) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 7))
			ws, plain, session := t.TempDir(), t.TempDir(), fmt.Sprint("s", seed)
			seedTree(t, ws)
			seedTree(t, plain)
			before := picture(t, ws)
			noError(t, k.files.bind(t.Context(), "default", session, ws))
			model, err := vfs.NewHost(plain, vfs.HostOptions{HardLinks: true, NoSync: true})
			noError(t, err)
			defer model.Close()
			if seed%2 == 1 {
				p := runIn(t, k, session, "echo up; sleep 1000", true)
				waitOutput(t, p, "up")
			}
			var log []string
			for range 15 {
				var script []string
				for range 1 + r.IntN(5) {
					script = append(script, childStep(r))
				}
				text := strings.Join(script, "\n")
				output(t, k, session, "umask 022\n("+text+"\n) >/dev/null 2>&1 || true")
				cmd := exec.Command("sh", "-c", "umask 022\n("+text+"\n) >/dev/null 2>&1 || true")
				cmd.Dir = plain
				noError(t, cmd.Run())
				log = append(log, script...)
				for range r.IntN(4) {
					log = append(log, guestStep(t, r, k, session, model))
				}
			}
			if d := difference(before, picture(t, ws)); d != "" {
				t.Fatalf("the workspace changed:\n%s", d)
			}
			k.processes.end(sessionKey{"default", session}, errDeserted)
			waitQuiet(t, k, session)
			if seed == 4 {
				_, err := k.discardOverlay(t.Context(), "default", mustJSON(t, abi.OverlaySelector{Session: session}))
				noError(t, err)
				if d := difference(before, picture(t, ws)); d != "" {
					t.Fatalf("after the discard:\n%s", d)
				}
				return
			}
			want := picture(t, plain)
			out := commitAll(t, k, session)
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
func waitQuiet(t *testing.T, k *Kernel, session string) {
	t.Helper()
	for k.quiet(t.Context(), "default", session) != nil {
		if t.Context().Err() != nil {
			t.Fatal("programs do not end")
		}
	}
}
