package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/testdata/fakeopenai"
)

// prompts runs n prompts at once and checks that each gets its own answer and nothing else.
func prompts(t *testing.T, b *box, n int, flags ...string) {
	t.Helper()
	ps := make([]*process, n)
	for i := range ps {
		ps[i] = b.begin(b.cmd(append(flags, "-p", fmt.Sprintf("mark-parallel number <%d> of %d", i, n))...))
	}
	for i, p := range ps {
		r := p.wait()
		if want := fakeopenai.Echo(fmt.Sprintf("mark-parallel number <%d> of %d", i, n)) + "\n"; r.code != 0 || r.out != want {
			t.Errorf("prompt %d: exit code %d, %q %q", i, r.code, r.out, r.err)
		}
	}
}

// TestParallel: two and twenty prompts at once, with a daemon and without one.
func TestParallel(t *testing.T) {
	t.Parallel()
	b := newBox(t, withFake)
	prompts(t, b, 20) // all of them find no daemon
	prompts(t, b, 2)
	prompts(t, b, 20)
	if st := b.status(); !st.Ephemeral || st.Bus.QueueFull != 0 {
		t.Errorf("status: %+v", st)
	}
}

// TestSameSession: prompts of several clients in one session are answered one after the
// other, each to its own client.
func TestSameSession(t *testing.T) {
	t.Parallel()
	b := newBox(t, withFake)
	prompts(t, b, 2, "--session", "shared")
	prompts(t, b, 8, "--session", "shared")
	for _, r := range requestsWith("number <7> of 8") {
		for i, m := range r.Body.Messages {
			if i > 1 && m.Role == "user" && r.Body.Messages[i-1].Role == "user" {
				t.Errorf("a prompt was sent before the one before it was answered: %+v", r.Body.Messages)
			}
		}
	}
}

// TestFirstRuns: first commands at the same time in an empty home all succeed.
func TestFirstRuns(t *testing.T) {
	t.Parallel()
	b := newBox(t, "")
	// Compiling is not what is tested.
	if err := copyHome(filepath.Join(offline, "var"), filepath.Join(b.home, "var")); err != nil {
		t.Fatal(err)
	}
	var ps []*process
	for range 8 {
		ps = append(ps, b.begin(b.cmd("-p", "hello")))
	}
	installs := 0
	for _, p := range ps {
		r := p.wait().want(t, 0, "I am the offline provider")
		installs += strings.Count(r.err, "installed astralis")
	}
	if installs != 1 {
		t.Errorf("%d of them installed", installs)
	}
}

// TestWorkspaces: one daemon serves several directories, and leaves all of them as they are.
func TestWorkspaces(t *testing.T) {
	t.Parallel()
	b := newBox(t, offline)
	for _, name := range []string{"one", "two"} {
		b.write(name+"/own.txt", "I am in "+name+"\n")
	}
	in := func(dir string, args ...string) result {
		cmd := b.cmd(args...)
		cmd.Dir = filepath.Join(b.ws, dir)
		return b.finish(cmd)
	}
	before := tree(t, b.ws)
	in("one", "-p", "read own.txt").want(t, 0, "I am in one")
	in("two", "-p", "read own.txt").want(t, 0, "I am in two")
	in("one", "--session", "w", "-p", "write changed to own.txt then write x to sub/new.txt then read own.txt").want(t, 0, "changed")
	in("one", "--session", "w", "-p", "read own.txt").want(t, 0, "changed")
	in("one", "-p", "read own.txt").want(t, 0, "I am in one")
	// A session stays where it began.
	in("two", "--session", "w", "-p", "read own.txt").want(t, 0, "changed")
	b.run("", "stop").want(t, 0)
	in("one", "--session", "w", "-p", "read sub/new.txt").want(t, 0, "x")
	if after := tree(t, b.ws); after != before {
		t.Errorf("the workspace was changed:\n%s\nit was\n%s", after, before)
	}
}

// tree lists names, sizes, modes, times and texts below a directory.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var s strings.Builder
	err := filepath.Walk(dir, func(path string, fi os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		var text []byte
		if fi.Mode().IsRegular() {
			if text, err = os.ReadFile(path); err != nil {
				return err
			}
		}
		fmt.Fprintf(&s, "%s %v %d %v %q\n", strings.TrimPrefix(path, dir), fi.Mode(), fi.Size(), fi.ModTime(), text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return s.String()
}

// TestStatusDuringTurn: status answers at once while a turn runs.
func TestStatusDuringTurn(t *testing.T) {
	t.Parallel()
	b := newBox(t, withFake)
	g, words := newGate(t)
	p := b.begin(b.cmd("-p", words))
	<-g.reached
	b.run("", "status").want(t, 0, "clients    2", " ready\n")
	g.let()
	p.wait().want(t, 0, "You said: "+words)
}
