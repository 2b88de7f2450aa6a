package host

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/audit"
)

func TestBadPaths(t *testing.T) {
	r := newRig(t, autonomous())
	g := r.guest(newCapsule(everythingGrants()))
	must(t, os.WriteFile(filepath.Join(filepath.Dir(r.ws), "outside"), []byte("secret"), 0o600))
	must(t, os.Symlink("../outside", filepath.Join(r.ws, "climbs")))
	must(t, os.Symlink(filepath.Dir(r.ws), filepath.Join(r.ws, "away")))
	for path, code := range map[string]abi.Code{
		"a\x00b":                abi.CodeInvalid,
		"a\xffb":                abi.CodeInvalid,
		"home://a\x00":          abi.CodeInvalid,
		"../outside":            abi.CodeDenied,
		"cwd://a/../../outside": abi.CodeDenied,
		"home://../outside":     abi.CodeDenied,
		"/tmp/../outside":       abi.CodeDenied,
		"climbs":                abi.CodeDenied,
		"away/outside":          abi.CodeDenied,
		r.ws + "/../outside":    abi.CodeDenied,
	} {
		for _, fn := range []abi.Function{abi.FsExists, abi.ReadFile, abi.FsReaddir, abi.FsStat, abi.FsMkdir, abi.WriteFile} {
			params := []string{path}
			if fn == abi.WriteFile {
				params = append(params, "x")
			}
			before := len(r.decisions("default"))
			g.refused(code, "", fn, params...)
			all := r.decisions("default")
			if code == abi.CodeDenied && (len(all) != before+1 || all[before].Verdict != audit.Deny || all[before].Layer == "") {
				t.Errorf("%s %q: an attempt to get out left %d entries", fn, path, len(all)-before)
			}
		}
	}
	for _, e := range r.history() {
		if strings.HasPrefix(e, "effect") {
			t.Fatalf("a file tree was asked: %q", r.history())
		}
	}
	// A link is removed as itself, whatever it points to.
	g.want("", abi.FsUnlink, "climbs")
	if _, err := os.Stat(filepath.Join(filepath.Dir(r.ws), "outside")); err != nil {
		t.Error(err)
	}
	g.refused(abi.CodeInvalid, "root", abi.FsUnlink, "cwd://")
	g.refused(abi.CodeDenied, "", abi.FsUnlink, "..")
}

// TestHiddenHome: the principal's settings, keys and other capsules' data are not files of home://.
func TestHiddenHome(t *testing.T) {
	r := newRig(t, autonomous())
	g := r.guest(newCapsule(everythingGrants()))
	for _, d := range []string{".config/env", ".local/audit", "notes"} {
		must(t, os.MkdirAll(filepath.Join(r.home, d), 0o700))
	}
	must(t, os.WriteFile(filepath.Join(r.home, ".config/env/web.env.json"), []byte(`{"key":"sk"}`), 0o600))
	must(t, os.Symlink(".config/env", filepath.Join(r.home, "link")))
	for _, p := range []string{".config/env/web.env.json", ".config", ".local/audit", ".LOCAL/audit", "./.config/env", "notes/../.config/env/web.env.json", "link/web.env.json"} {
		g.refused(abi.CodeDenied, "settings and secrets", abi.ReadFile, "home://"+p)
		g.refused(abi.CodeDenied, "settings and secrets", abi.WriteFile, "home://"+p, "x")
		g.refused(abi.CodeDenied, "settings and secrets", abi.FsReaddir, "home://"+p)
	}
	out, err := g.do(abi.FsReaddir, "home://")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	must(t, json.Unmarshal(out, &names))
	if !slices.Equal(names, []string{"link", "notes"}) {
		t.Errorf("home:// lists %q", names)
	}
}

// TestManifestPaths: a declared directory is that directory and what is below it.
func TestManifestPaths(t *testing.T) {
	for _, c := range []struct {
		declared, path string
		ok             bool
	}{
		{"*", "a", true},
		{"*", "home://a", false},
		{"cwd://src", "src/a", true},
		{"cwd://src", "src", true},
		{"cwd://src", "srcs/a", false},
		{"cwd://src", "a", false},
		{"cwd://src/", "src/x/../a", true},
		{"cwd://src", "src/../a", false},
		{"home://notes", "home://notes/a", true},
		{"home://notes", "notes/a", false},
		{"/tmp", "/tmp/a", true},
		{"/tmp/x", "/tmp/a", false},
		{"/etc", "/etc/passwd", false}, // that is etc/passwd in the workspace
		{"/", "a", false},
		{"", "a", false},
		{"file://", "a", false},
	} {
		r := newRig(t, autonomous())
		g := r.guest(newCapsule(Grants{FSRead: []string{c.declared}, FSWrite: nil}))
		_, err := g.do(abi.FsExists, c.path)
		if got := err == nil; got != c.ok {
			t.Errorf("fs_read %q, path %q: %v", c.declared, c.path, err)
		}
		g.refused(abi.CodeDenied, "not declared", abi.FsMkdir, c.path+"/new")
	}
}

// TestWorkspacePaths: models use the absolute paths that the user uses.
func TestWorkspacePaths(t *testing.T) {
	r := newRig(t, rigOptions{})
	g := r.guest(newCapsule(everythingGrants()))
	g.want("", abi.WriteFile, "d/a", "1")
	for _, p := range []string{"d/a", "/d/a", "cwd://d/a", "cwd:///d/a", r.ws + "/d/a", "cwd://" + r.ws + "/d/a", "./d//a"} {
		g.want("1", abi.ReadFile, p)
	}
	// A neighbour whose name starts like the workspace's is not in it.
	if out, _ := g.do(abi.FsExists, r.ws+"x/d/a"); len(out) != 0 {
		t.Errorf("%sx counts as %s", r.ws, r.ws)
	}
}

// TestReplacedWhileDeciding: what was approved is that file, not what a link put in its
// place means by then.
func TestReplacedWhileDeciding(t *testing.T) {
	r := newRig(t, rigOptions{})
	g := r.guest(newCapsule(everythingGrants()))
	must(t, os.MkdirAll(filepath.Join(r.home, ".config"), 0o700))
	must(t, os.WriteFile(filepath.Join(r.home, ".config/secrets"), []byte("sk"), 0o600))
	must(t, os.WriteFile(filepath.Join(r.home, "a"), []byte("harmless"), 0o600))
	detach := r.gate.Approvals().Attach("default", func(e approval.Event) {
		if e.Type != approval.Asked {
			return
		}
		must(t, os.Remove(filepath.Join(r.home, "a")))
		must(t, os.Symlink(".config/secrets", filepath.Join(r.home, "a")))
		must(t, r.gate.Approvals().Resolve(context.Background(), "default", e.Request.ID, approval.Decision{Choice: approval.ApproveOnce}))
	})
	defer detach()
	g.refused(abi.CodeDenied, "replaced by a link", abi.ReadFile, "home://a")
	if slices.Contains(r.history(), "effect read") {
		t.Error("the file was read")
	}
}
