package kernel

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/vfs"
)

// TestProgramsDoNotSeeWhatIsIgnored: neither reading nor writing, moving or linking gets at what the ignore file and denied_paths
// name, and what a program puts in such a place is not committed.
func TestProgramsDoNotSeeWhatIsIgnored(t *testing.T) {
	needSandbox(t)
	k := boot(t)
	ws := k.opts.Workspace
	put(t, k.opts.Home.ConfigFile(), "[security.policy]\ndenied_paths = [\""+ws+"/vault/**\"]\n")
	noError(t, k.reloadPolicy())
	for name, text := range map[string]string{
		".env": "S3CRET", "d/.env": "S3CRET", "d/e/f.pem": "S3CRET", "vault/a": "S3CRET", "private/x/y": "S3CRET", "open.txt": "open", "d/open.txt": "open",
		approval.IgnoreFile: ".env\n*.pem\nprivate/\n/ci/\n",
	} {
		put(t, filepath.Join(ws, name), text)
	}
	before := picture(t, ws)
	for _, script := range []string{
		"cat .env", "cat d/.env", "cat d/e/*", "cat vault/a", "ls vault", "ls private", "cat private/x/y", "cp .env x", "ln .env x", "mv .env x", "rm -f .env",
		"mv private x", "mv d x; cat x/.env x/e/f.pem", "rm -rf d; test ! -e d", "rm -rf vault; test ! -e vault", "rmdir vault", "mv vault x", "echo > .env", "truncate -s0 d/.env", "chmod 644 .env && cat .env", "chmod 755 vault && ls vault",
		"echo > .astridignore", "rm -f .astridignore", "mv .astridignore x", "echo x > vault/new", "ln -s d l; cat l/.env", "ln -s .env m; cat m", "cat /proc/self/root" + ws + "/.env", "cd d; cat ../.env", "umount .env",
		"grep -r S3CR[E]T .", "cat /proc/self/cwd/.env", "cp -r . /tmp/all; grep -r S3CR[E]T /tmp/all",
	} {
		p := runIn(t, k, "s", script+" 2>/dev/null", false)
		<-p.Done()
		out, _ := p.Output()
		if code, err := p.Exit(); code == 0 || err != nil || strings.Contains(string(out.Bytes), "S3CRET") {
			t.Errorf("%q: status %d, %v, it wrote %q", script, code, err, out.Bytes)
		}
		discard(t, k)
	}
	if got := output(t, k, "s", "cat open.txt d/open.txt; ls -A; cat .astridignore | wc -l"); !strings.Contains(got, "openopen") || !strings.Contains(got, "4") {
		t.Errorf("what is not ignored: %q", got)
	}

	output(t, k, "s", "mkdir -p ci n; echo evil > ci/run.yml; echo x > n/k.pem; echo fine > n/fine")
	out := commitAll(t, k, "s")
	if out.SkippedCount != 3 || out.Count != 1 { // ci, ci/run.yml and n/k.pem; n goes without saying
		t.Errorf("commit: %+v", out)
	}
	before["n"], before["n/fine"] = "drwxr-xr-x", "-rw-r--r-- fine\n"
	if d := difference(before, picture(t, ws)); d != "" {
		t.Errorf("after the commit:\n%s", d)
	}
	discard(t, k)

	// What the user protects counts from the next start on, and what cannot be read protects everything.
	put(t, filepath.Join(ws, approval.IgnoreFile), "*.txt\n")
	if p := runIn(t, k, "s", "cat open.txt", false); exitOf(p) == 0 {
		t.Error("the ignore file was not read again")
	}
	put(t, filepath.Join(ws, approval.IgnoreFile), "a\n[b\n")
	if _, err := tryRun(t, k, "s", "true", false); err == nil || !strings.Contains(err.Error(), ".astridignore:2:") {
		t.Errorf("a malformed ignore file: %v", err)
	}
}

func exitOf(p interface {
	Done() <-chan struct{}
	Exit() (int, error)
}) int {
	<-p.Done()
	code, _ := p.Exit()
	return code
}

func discard(t *testing.T, k *Kernel) {
	t.Helper()
	_, err := k.discardOverlay(t.Context(), "default", mustJSON(t, abi.OverlaySelector{Session: "s"}))
	noError(t, err)
}

// TestIgnoreFileIsHostile: it comes with a repository. Whatever it is, it hides more or everything.
func TestIgnoreFileIsHostile(t *testing.T) {
	for name, c := range map[string]struct {
		make func(path string) error
		all  bool
	}{
		"nothing":   {func(string) error { return nil }, false},
		"comments":  {func(p string) error { return os.WriteFile(p, []byte("# x\n"), 0o644) }, false},
		"negations": {func(p string) error { return os.WriteFile(p, []byte("!*\n!/etc\n"), 0o644) }, false},
		"malformed": {func(p string) error { return os.WriteFile(p, []byte("x[\n"), 0o644) }, true},
		"directory": {func(p string) error { return os.Mkdir(p, 0o755) }, true},
		"fifo":      {func(p string) error { return unix.Mkfifo(p, 0o644) }, true},
		"link":      {func(p string) error { return os.Symlink("/etc/passwd", p) }, true},
		"dangling":  {func(p string) error { return os.Symlink("nowhere", p) }, true},
		"huge":      {func(p string) error { return os.WriteFile(p, make([]byte, approval.MaxIgnoreBytes+1), 0o644) }, true},
	} {
		ws := t.TempDir()
		noError(t, c.make(filepath.Join(ws, approval.IgnoreFile)))
		g, err := readIgnore(ws)
		if _, hit := g.Match("any/file"); hit != c.all || (err != nil) != c.all {
			t.Errorf("%s: a file is ignored %v, error %v", name, hit, err)
		}
	}
	k := boot(t, func(o *Options) {
		put(t, o.Home.ConfigFile(), "[security.policy]\ndenied_paths = [\""+o.Workspace+"/mine\"]\n")
		put(t, ignoreFile(o.Workspace), "!mine\n")
	})
	ws := k.opts.Workspace + "/"
	for _, file := range []string{"mine", "theirs"} {
		err := act(t, k, "s", approval.Action{Kind: approval.FSRead, Path: ws + file, Resource: approval.FileResource(approval.FSRead, ws+file), InWorkspace: true})
		if denied := errors.Is(err, approval.ErrDenied); denied != (file == "mine") {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// TestConcealedPaths: what programs find covered, in as few pieces as it takes.
func TestConcealedPaths(t *testing.T) {
	ws, err := filepath.EvalSymlinks(t.TempDir())
	noError(t, err)
	for _, f := range []string{"a/b/c", "a/b/d", "a/e", "f/g/h", "f/g/i", "j", "k.pem"} {
		put(t, filepath.Join(ws, f), "x")
	}
	noError(t, os.Symlink("k.pem", filepath.Join(ws, "l.pem")))
	tree, err := vfs.NewHost(ws, vfs.HostOptions{})
	noError(t, err)
	defer tree.Close()
	ignore := func(text string) *approval.Ignore {
		g, err := approval.ParseIgnore([]byte(text), "F", false)
		noError(t, err)
		return g
	}
	glob := func(list ...string) (out []approval.Rule) {
		for _, v := range list {
			out = append(out, approval.Rule{Value: ws + v})
		}
		return out
	}
	for i, c := range []struct {
		rules approval.Rules
		want  []string
	}{
		{approval.Rules{}, nil},
		{approval.Rules{DeniedPaths: []approval.Rule{{Value: "/etc/**"}}}, nil},
		{approval.Rules{Ignore: ignore("*.pem\nb/\n")}, []string{"a/b/", "k.pem"}},
		{approval.Rules{DeniedPaths: glob("/a/**", "/f/*/h")}, []string{"a/", "f/g/h"}},
		{approval.Rules{DeniedPaths: []approval.Rule{{Value: "**/h"}}}, []string{"f/g/h"}},
		{approval.Rules{AllowedPaths: glob("/a/b/**", "/j")}, []string{"a/e", "f/", "k.pem"}},
		{approval.Rules{AllowedPaths: glob("/f/g/h"), Ignore: ignore("h")}, []string{"a/", "f/", "j", "k.pem"}},
	} {
		p, err := approval.CompilePolicy(c.rules)
		noError(t, err)
		list, err := concealed(p, tree)
		noError(t, err)
		var got []string
		for _, e := range list {
			rel, _ := filepath.Rel(ws, e.Path)
			if e.Dir {
				rel += "/"
			}
			got = append(got, rel)
		}
		if slices.Sort(got); !slices.Equal(got, c.want) {
			t.Errorf("%d: %q, want %q", i, got, c.want)
		}
	}
	for i := range maxConcealed + 1 {
		put(t, filepath.Join(ws, fmt.Sprintf("many/%d.key", i)), "x")
	}
	p, err := approval.CompilePolicy(approval.Rules{Ignore: ignore("*.key")})
	noError(t, err)
	if _, err := concealed(p, tree); err == nil || !strings.Contains(err.Error(), "whole directories") {
		t.Errorf("more than can be covered: %v", err)
	}
}
