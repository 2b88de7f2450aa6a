package vfs

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The kernel mounts in a child of this test in namespaces of its own, so no privilege is needed and nothing stays mounted.

const (
	mountEnv = "VFS_TEST_MOUNT" // JSON mountJob
	noMount  = 77               // exit status: this system does not mount overlays for us
)

type mountJob struct {
	Lower, Upper, Work, At, Out string
	Seed                        uint64
	Steps                       int    // random changes to make through the mount
	Script                      string // "append path;write path"
}

func init() { children[mountEnv] = mountChild }

func mountChild(arg string) int {
	var j mountJob
	if err := json.Unmarshal([]byte(arg), &j); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	opts := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s,userxattr", j.Lower, j.Upper, j.Work)
	if err := unix.Mount("overlay", j.At, "overlay", 0, opts); err != nil {
		fmt.Fprintln(os.Stderr, "mount:", err)
		return noMount
	}
	r, err := os.OpenRoot(j.At)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	rng := rand.New(rand.NewPCG(j.Seed, 1))
	for range j.Steps {
		kernelStep(rng, r)
	}
	for _, line := range strings.Split(j.Script, ";") {
		verb, p, _ := strings.Cut(line, " ")
		flag, text := os.O_WRONLY|os.O_APPEND, "+"
		if verb == "write" {
			flag, text = os.O_WRONLY|os.O_CREATE, "kernel"
		}
		if f, err := r.OpenFile(p, flag, 0o644); err == nil {
			f.WriteString(text)
			f.Close()
		}
	}
	pic, err := json.Marshal(plainTree(r))
	if err == nil {
		err = os.WriteFile(j.Out, pic, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// kernelStep changes something through the mount, as a sandboxed tool would. Errors do not matter.
func kernelStep(rng *rand.Rand, r *os.Root) {
	name := func() string {
		parts := make([]string, 1+rng.IntN(3))
		for i := range parts {
			parts[i] = string("abcde"[rng.IntN(5)])
		}
		return strings.Join(parts, "/")
	}
	n := name()
	switch rng.IntN(8) {
	case 0:
		r.MkdirAll(n, 0o755)
	case 1, 2:
		r.WriteFile(n, []byte("kernel "+n), 0o644)
	case 3:
		r.RemoveAll(n)
	case 4:
		r.Rename(n, name())
	case 5:
		r.Symlink("a", n)
	case 6:
		r.Chmod(n, 0o755)
	case 7:
		if f, err := r.OpenFile(n, os.O_WRONLY|os.O_APPEND, 0); err == nil {
			f.WriteString("+")
			f.Close()
		}
	}
}

// plainTree is tree without a test's help.
func plainTree(r *os.Root) map[string]string {
	pic := map[string]string{}
	var walk func(string)
	walk = func(dir string) {
		f, err := r.Open(dir)
		if err != nil {
			pic[dir] += err.Error()
			return
		}
		entries, err := f.ReadDir(-1)
		f.Close()
		if err != nil {
			pic[dir] += err.Error()
		}
		for _, e := range entries {
			p := path.Join(dir, e.Name())
			fi, err := r.Lstat(p)
			switch {
			case err != nil:
				pic[p] = err.Error()
			case fi.Mode()&os.ModeSymlink != 0:
				target, _ := r.Readlink(p)
				pic[p] = "link " + target
			default:
				pic[p] = fmt.Sprint(fi.Mode().Type()|fi.Mode().Perm(), " ")
				if fi.IsDir() {
					walk(p)
				} else if data, err := r.ReadFile(p); err == nil {
					pic[p] += string(data)
				}
			}
		}
	}
	walk(".")
	return pic
}

// mount runs the job over a closed overlay and returns what the kernel shows.
func mount(t *testing.T, v *OverlayVfs, seed uint64, steps int) map[string]string {
	t.Helper()
	return runMount(t, v, mountJob{Seed: seed, Steps: steps})
}

func mountSteps(t *testing.T, v *OverlayVfs, script string) map[string]string {
	t.Helper()
	return runMount(t, v, mountJob{Script: script})
}

func runMount(t *testing.T, v *OverlayVfs, j mountJob) map[string]string {
	t.Helper()
	dir := t.TempDir()
	j.Lower, j.Upper, j.Work, j.At, j.Out = v.LowerDir(), v.UpperDir(), v.WorkDir(), filepath.Join(dir, "at"), filepath.Join(dir, "out")
	must(t, os.Mkdir(j.At, 0o755))
	arg, err := json.Marshal(j)
	must(t, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), mountEnv+"="+string(arg))
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == noMount || err != nil && exit == nil {
		t.Skipf("no overlay mount in a user namespace here: %v %s", err, out)
	}
	if err != nil {
		t.Fatalf("child: %v %s", err, out)
	}
	data, err := os.ReadFile(j.Out)
	must(t, err)
	var pic map[string]string
	must(t, json.Unmarshal(data, &pic))
	return pic
}

// TestKernelSeesTheSame makes random changes with OverlayVfs and compares its view with a kernel mount of the same layers; then
// random changes through the mount, and compares again; and commits what both wrote.
func TestKernelSeesTheSame(t *testing.T) {
	for seed := range uint64(25) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			v, lower := newOverlay(t, OverlayOptions{})
			if v.Format() != FormatOverlayfs {
				t.Skipf("this filesystem gives %s", v.Format())
			}
			rng := rand.New(rand.NewPCG(seed, 2))
			randomChanges(rng, v, 20)
			want := tree(t, v)
			if d := diffTrees(want, mount(t, v, seed, 0)); d != "" {
				t.Fatalf("the kernel shows another tree:\n%s", d)
			}
			want = mount(t, v, seed, 20)
			if d := diffTrees(want, tree(t, v)); d != "" {
				t.Fatalf("after the kernel's changes:\n%s", d)
			}
			randomChanges(rng, v, 10)
			want = tree(t, v)
			if d := diffTrees(want, mount(t, v, seed, 0)); d != "" {
				t.Fatalf("after more changes the kernel shows another tree:\n%s", d)
			}
			// A part of it, which takes opaque directories apart.
			if _, err := v.Commit(CommitOptions{Paths: []string{"a/b", "d"}}); err != nil {
				t.Fatal(err)
			}
			if d := diffTrees(want, mount(t, v, seed, 0)); d != "" {
				t.Fatalf("after a partial commit the kernel shows another tree:\n%s", d)
			}
			must(t, v.Discard("a/c", "b"))
			want = tree(t, v)
			if d := diffTrees(want, mount(t, v, seed, 0)); d != "" {
				t.Fatalf("after a partial discard the kernel shows another tree:\n%s", d)
			}
			if _, err := v.Commit(CommitOptions{}); err != nil {
				t.Fatal(err)
			}
			if d := diffTrees(want, treeOf(t, lower)); d != "" {
				t.Fatalf("the committed workspace differs:\n%s", d)
			}
		})
	}
}

// TestCopyUpForeign: what another group owns can be changed through a mount that does not map the group.
func TestCopyUpForeign(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to give a file away")
	}
	v, lower := newOverlay(t, OverlayOptions{})
	for _, p := range []string{"a/a", "d", "d/a"} {
		must(t, os.Chown(filepath.Join(lower, p), 0, 12345))
	}
	must(t, v.CopyUpForeign())
	if list, err := v.Changes(); err != nil || len(list) != 0 {
		t.Fatalf("copying up is a change: %v %v", list, err)
	}
	pic := mountSteps(t, v, "append a/a;write d/a/new;append b")
	for p, want := range map[string]string{"a/a": "one\ntwo\n+", "d/a/new": "kernel", "b": "bee\n+"} {
		if !strings.HasSuffix(pic[p], " "+want) {
			t.Errorf("%s through the mount: %q", p, pic[p])
		}
	}
	_, err := v.Commit(CommitOptions{})
	must(t, err)
	st, err := lookAt(v.low, "a/a")
	if err != nil || st.gid != 12345 {
		t.Errorf("after commit: %+v %v", st, err)
	}
	if data, _ := os.ReadFile(filepath.Join(lower, "a/a")); string(data) != "one\ntwo\n+" {
		t.Errorf("committed %q", data)
	}
}
