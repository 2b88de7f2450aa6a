package cli

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/client"
	"github.com/unicity-astrid/astrid-go/kernel"
	"github.com/unicity-astrid/astrid-go/kernel/home"
	"github.com/unicity-astrid/astrid-go/vfs"
)

// desk is a workspace with a daemon that has no capsules. Commands run in this process, as
// in directory cwd.
type desk struct {
	t        *testing.T
	home     home.Home
	ws, cwd  string
	terminal bool
	stdin    string
	env      map[string]string
	k        *kernel.Kernel
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	short, err := os.MkdirTemp("", "ov") // room for the socket's path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(short) })
	h, err := home.New(filepath.Join(short, "home"))
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, home: h, ws: t.TempDir(), env: map[string]string{}}
	d.cwd = d.ws
	d.boot()
	t.Cleanup(d.shutdown)
	return d
}

func (d *desk) boot() {
	d.t.Helper()
	k, err := kernel.Boot(d.t.Context(), kernel.Options{Home: d.home, Workspace: d.ws, Version: Version})
	if err != nil {
		d.t.Fatal(err)
	}
	d.k = k
}

func (d *desk) shutdown() {
	if d.k == nil {
		return
	}
	k := d.k
	d.k = nil
	if err := k.Shutdown("test"); err != nil {
		d.t.Errorf("shutdown: %v", err)
	}
}

// run runs a command line and returns its exit code and what it wrote.
func (d *desk) run(args ...string) (code int, stdout, stderr string) {
	d.t.Helper()
	var out, errs bytes.Buffer
	code = Main(args, System{
		Stdin: strings.NewReader(d.stdin), Stdout: &out, Stderr: &errs,
		Getenv: func(name string) (string, bool) {
			if name == "ASTRID_HOME" {
				return d.home.Root(), true
			}
			v, ok := d.env[name]
			return v, ok
		},
		Getwd:      func() (string, error) { return d.cwd, nil },
		IsTerminal: func(any) bool { return d.terminal },
	})
	return code, out.String(), errs.String()
}

// want runs a command line that must end with a code.
func (d *desk) want(code int, args ...string) (stdout, stderr string) {
	d.t.Helper()
	got, stdout, stderr := d.run(args...)
	if got != code {
		d.t.Fatalf("astrid %s: exit %d, want %d\n%s%s", strings.Join(args, " "), got, code, stdout, stderr)
	}
	return stdout, stderr
}

// use sends something to a session from the current directory, as a prompt does.
func (d *desk) use(session string) {
	d.t.Helper()
	id, err := sessionID(session)
	if err != nil {
		d.t.Fatal(err)
	}
	conn, err := client.Dial(d.t.Context(), d.home, Version)
	if err != nil {
		d.t.Fatal(err)
	}
	defer conn.Close()
	err = conn.Publish(d.t.Context(), abi.TopicUserPrompt, id, d.cwd, abi.UserInput{Text: "x", SessionID: id})
	if err == nil || !strings.Contains(err.Error(), "no capsule") {
		d.t.Fatalf("a prompt without capsules: %v", err)
	}
}

// edit changes a session's files as its agent would, while the daemon is away.
func (d *desk) edit(session string, change func(v *vfs.OverlayVfs) []error) {
	d.t.Helper()
	d.use(session)
	id, err := sessionID(session)
	if err != nil {
		d.t.Fatal(err)
	}
	d.shutdown()
	p, err := d.home.Principal(home.DefaultPrincipal)
	if err != nil {
		d.t.Fatal(err)
	}
	dir, err := p.Overlay(id)
	if err != nil {
		d.t.Fatal(err)
	}
	v, err := vfs.NewOverlay(d.ws, filepath.Join(dir, "upper"), vfs.OverlayOptions{StateDir: filepath.Join(dir, "state")})
	if err != nil {
		d.t.Fatal(err)
	}
	for _, err := range append(change(v), v.Close()) {
		if err != nil {
			d.t.Fatal(err)
		}
	}
	d.boot()
}

// put writes a file of the user's.
func (d *desk) put(name, text string) {
	d.t.Helper()
	path := filepath.Join(d.ws, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		d.t.Fatal(err)
	}
}

// get reads a file of the user's; "-" when it is not there.
func (d *desk) get(name string) string {
	b, err := os.ReadFile(filepath.Join(d.ws, name))
	if err != nil {
		return "-"
	}
	return string(b)
}

// names of files that must not reach a terminal as they are.
const (
	spaced  = "two words.txt"
	lined   = "two\nlines.txt"
	control = "clear\x1b[2J.txt"
	bidi    = "safe\u202etxt.exe"
)

// zoo makes changes of every kind.
func zoo(d *desk) {
	d.put("mod.txt", "one\ntwo\nthree\n")
	d.put("gone.txt", "bye\n")
	d.put("dir/old.txt", "moved\n")
	d.put("tool.sh", "#!/bin/sh\n")
	d.put("tree/a", "a\n")
	d.put("tree/b/c", "c\n")
	d.edit("s", func(v *vfs.OverlayVfs) []error {
		return []error{
			v.WriteFile("mod.txt", []byte("one\n2\nthree\n"), 0o644),
			v.Remove("gone.txt"),
			v.Rename("dir/old.txt", "dir/new.txt"),
			v.Chmod("tool.sh", 0o755),
			v.RemoveAll("tree"),
			v.WriteFile("tree", []byte("a file now\n"), 0o600),
			v.WriteFile("pic.bin", []byte("\x00\x01\x02"), 0o644),
			v.Symlink("mod.txt", "link"),
			v.MkdirAll("empty/in", 0o755),
			v.WriteFile(spaced, []byte("s\n"), 0o644),
			v.WriteFile(lined, []byte("l\n"), 0o644),
			v.WriteFile(control, []byte("a\x1b[31mb\n"), 0o644),
			v.WriteFile(bidi, []byte("b\n"), 0o644),
		}
	})
}

func TestZoo(t *testing.T) {
	d := newDesk(t)
	zoo(d)
	names, _ := d.want(ExitOK, "diff", "--name-only")
	want := strings.Join([]string{
		`"clear\x1b[2J.txt"`, "dir/new.txt", "dir/old.txt", "empty/in/", "gone.txt", "link", "mod.txt", "pic.bin", `"safe\u202etxt.exe"`,
		"tool.sh", "tree", "tree/a", "tree/b/c", `"two\nlines.txt"`, "two words.txt", "",
	}, "\n")
	if names != want {
		t.Errorf("names are\n%s\nwant\n%s", names, want)
	}
	raw, _ := d.want(ExitOK, "diff", "--name-only", "-z")
	for _, n := range []string{spaced, lined, control, bidi} {
		if !strings.Contains(raw, "\x00"+n+"\x00") && !strings.HasPrefix(raw, n+"\x00") {
			t.Errorf("-z does not have %q", n)
		}
	}
	patch, note := d.want(ExitOK, "diff")
	for _, s := range []string{
		"--- a/mod.txt\n+++ b/mod.txt\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n", "deleted file mode 100644\n--- a/gone.txt\n",
		"old mode 100644\nnew mode 100755\n", "new file mode 120000\n", "Binary files /dev/null and b/pic.bin differ\n", "a\x1b[31mb\n", "--- a/tree/b/c\n",
	} {
		if !strings.Contains(patch, s) {
			t.Errorf("the diff does not have %q:\n%s", s, patch)
		}
	}
	if strings.Count(patch, "diff --git a/tree/a ") != 1 || !strings.Contains(note, "2 changes cannot be shown in a patch") {
		t.Errorf("%s\n%s", note, patch)
	}
	stat, _ := d.want(ExitOK, "diff", "--stat")
	for _, s := range []string{" mod.txt ", "| 2 +-\n", "| Bin 0 -> 3 bytes (new)\n", "| directory (new)\n", "| 0 (mode 0644 -> 0755)\n", "| 1 + (directory -> file)\n", " 15 files changed, 8 insertions(+), 5 deletions(-)\n"} {
		if !strings.Contains(stat, s) {
			t.Errorf("--stat does not have %q:\n%s", s, stat)
		}
	}
	var report diffReport
	out, _ := d.want(ExitOK, "diff", "--json", "mod.txt", "pic.bin")
	if err := json.Unmarshal([]byte(out), &report); err != nil || len(report.Changes) != 2 || report.Workspace != d.ws ||
		report.Changes[0].Insertions != 1 || report.Changes[0].Op != "modified" || !report.Changes[1].Binary {
		t.Errorf("%v %s", err, out)
	}

	list, note := d.want(ExitOK, "commit")
	if strings.Count(list, "\n") != 15 || !strings.Contains(list, `added     "two\nlines.txt"`) || !strings.Contains(note, "committed 15 changes to "+d.ws) {
		t.Errorf("%s%s", list, note)
	}
	for name, text := range map[string]string{"mod.txt": "one\n2\nthree\n", "gone.txt": "-", "dir/new.txt": "moved\n", "dir/old.txt": "-", "tree": "a file now\n", spaced: "s\n", lined: "l\n", bidi: "b\n", "link": "one\n2\nthree\n"} {
		if got := d.get(name); got != text {
			t.Errorf("%q has %q, want %q", name, got, text)
		}
	}
	for name, mode := range map[string]fs.FileMode{"tool.sh": 0o755, "tree": 0o600, "empty/in": fs.ModeDir | 0o755} {
		if fi, err := os.Stat(filepath.Join(d.ws, name)); err != nil || fi.Mode() != mode {
			t.Errorf("%s: %v %v", name, fi.Mode(), err)
		}
	}
	if out, note := d.want(ExitOK, "diff"); out != "" || !strings.Contains(note, "no session of this directory has changes") {
		t.Errorf("after the commit: %q %q", out, note)
	}
}

// TestTerminal: colours only where they are wanted, and nothing that steers.
func TestTerminal(t *testing.T) {
	d := newDesk(t)
	zoo(d)
	d.terminal = true
	out, _ := d.want(ExitOK, "diff")
	for _, s := range []string{red + "-two" + plain, green + "+2" + plain, cyan + "@@ -1,3 +1,3 @@" + plain, bold + "diff --git a/mod.txt b/mod.txt" + plain, `a\u001b[31mb`} {
		if !strings.Contains(out, s) {
			t.Errorf("the diff does not have %q:\n%q", s, out)
		}
	}
	if stat, _ := d.want(ExitOK, "diff", "--stat"); !strings.Contains(stat, green+"+"+plain+red+"-"+plain) {
		t.Errorf("--stat is not coloured: %q", stat)
	}
	for _, env := range []map[string]string{{"NO_COLOR": "1"}, {"TERM": "dumb"}} {
		d.env = env
		for _, arg := range []string{"--stat", "--name-only", ""} {
			if out, _ := d.want(ExitOK, strings.Fields("diff "+arg)...); strings.Contains(out, "\x1b") || strings.Contains(out, "\u202e") {
				t.Errorf("%v %s: %q", env, arg, out)
			}
		}
	}
	d.env = map[string]string{"NO_COLOR": ""} // empty means not set
	if out, _ := d.want(ExitOK, "diff", "mod.txt"); !strings.Contains(out, green) {
		t.Errorf("not coloured: %q", out)
	}
}

// TestPathsOfTheCommandLine are relative to the current directory.
func TestPathsOfTheCommandLine(t *testing.T) {
	d := newDesk(t)
	d.put("sub/deep/x", "x\n")
	d.edit("s", func(v *vfs.OverlayVfs) []error {
		return []error{v.WriteFile("top", []byte("t\n"), 0o644), v.WriteFile("sub/a", []byte("a\n"), 0o644), v.WriteFile("sub/deep/b", []byte("b\n"), 0o644)}
	})
	outside := t.TempDir()
	link := filepath.Join(outside, "link")
	if err := os.Symlink(d.ws, link); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ cwd, args, want string }{
		{"", "", "sub/a sub/deep/b top"},
		{"sub", "", "a deep/b ../top"},
		{"sub", ".", "a deep/b"},
		{"sub", "deep ../top", "deep/b ../top"},
		{"sub/deep", "..", "../a b"},
		{"sub/deep", d.ws + "/top", "../../top"},
		{"sub", link + "/sub/a", "a"},
	} {
		d.cwd = filepath.Join(d.ws, c.cwd)
		out, _ := d.want(ExitOK, append([]string{"diff", "--name-only"}, strings.Fields(c.args)...)...)
		if got := strings.Join(strings.Fields(out), " "); got != c.want {
			t.Errorf("in %q diff %s: %q, want %q", c.cwd, c.args, got, c.want)
		}
	}
	d.cwd = link + "/sub"
	if out, _ := d.want(ExitOK, "diff", "--name-only", "a"); out != "a\n" {
		t.Errorf("through a link: %q", out)
	}
	d.cwd = outside
	if out, _ := d.want(ExitOK, "diff", "--name-only", "--session", "s"); !strings.HasPrefix(out, d.ws+"/sub/a\n") {
		t.Errorf("from outside: %q", out)
	}
	for _, args := range []string{"diff x", "commit x", "discard x", "diff ../x", "diff /"} {
		if _, note := d.want(ExitUsage, append(strings.Fields(args), "--session", "s")...); !strings.Contains(note, "is not in "+d.ws) {
			t.Errorf("%s: %s", args, note)
		}
	}
	d.cwd = d.ws
	for _, args := range []string{"diff nothing", "commit top nothing", "discard sub/deep/x --yes"} {
		if _, note := d.want(ExitError, strings.Fields(args)...); !strings.Contains(note, "changed nothing at ") {
			t.Errorf("%s: %s", args, note)
		}
	}
	if d.get("top") != "-" {
		t.Error("a commit with a wrong path did something")
	}
	d.cwd = filepath.Join(d.ws, "sub")
	if out, note := d.want(ExitOK, "commit", "deep", "../top"); out != "added     deep/b\nadded     ../top\n" || !strings.Contains(note, "1 stay with the session") || d.get("top") != "t\n" || d.get("sub/a") != "-" {
		t.Errorf("%s%s", out, note)
	}
}
