package cli_test

import (
	"fmt"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/cli"
)

// releaseHost stands in for the host of releases.
type releaseHost struct {
	*httptest.Server
	mu    sync.Mutex
	files map[string][]byte
	gets  int // of archives
	hook  func(w http.ResponseWriter, r *http.Request) bool
}

// releases starts a host and makes it the configured one.
func (p *place) releases() *releaseHost {
	p.t.Helper()
	h := &releaseHost{files: map[string][]byte{}}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		body, ok := h.files[r.URL.Path]
		if ok && strings.HasSuffix(r.URL.Path, ".capsule") && r.Method == http.MethodGet {
			h.gets++
		}
		h.mu.Unlock()
		switch {
		case h.hook != nil && h.hook(w, r):
		case !ok:
			http.NotFound(w, r)
		default:
			_, _ = w.Write(body)
		}
	}))
	p.t.Cleanup(h.Close)
	if err := p.home.Ensure(); err != nil {
		p.t.Fatal(err)
	}
	text := fmt.Sprintf("[capsules]\nbase_url = %q\ntimeout_secs = 1\n", h.URL)
	if err := os.WriteFile(p.home.ConfigFile(), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return h
}

// publish makes a file of the working directory a release, and the latest one.
func (h *releaseHost) publish(p *place, repo, version, file string) {
	p.t.Helper()
	b, err := os.ReadFile(filepath.Join(p.cwd, file))
	if err != nil {
		p.t.Fatal(err)
	}
	name := filepath.Base(repo) + ".capsule"
	for _, dir := range []string{"latest/download", "download/v" + version} {
		at := "/" + repo + "/releases/" + dir + "/" + name
		h.files[at], h.files[at+".blake3"] = b, []byte(capsule.Hash(b)+"\n")
	}
}

func TestInstallFromTheNetwork(t *testing.T) {
	p := newPlace(t).compiled()
	h := p.releases()
	h.publish(p, "org/demo", "1.0.0", p.pack("demo", "1.0.0", ""))
	p.serve()
	latest := "/org/demo/releases/latest/download/demo.capsule"

	p.want(cli.ExitOK, "capsule install @org/demo --yes", "demo 1.0.0 is ready")
	p.want(cli.ExitOK, "capsule info demo", "@org/demo")
	got := h.gets
	p.want(cli.ExitOK, "capsule update --yes", "demo 1.0.0 is up to date", "0 updated, 1 up to date, 0 skipped")
	if h.gets != got {
		t.Error("what is installed was downloaded again")
	}

	h.publish(p, "org/demo", "2.0.0", p.pack("demo", "2.0.0", ""))
	p.want(cli.ExitError, "capsule update --yes --offline", "not to be used", "1 failed: demo")
	p.want(cli.ExitOK, "capsule update demo --yes", "replaces version 1.0.0", "demo 2.0.0 is ready")
	p.want(cli.ExitOK, "capsule install @org/demo@1.0.0 --yes --force", "demo 1.0.0 is ready")
	p.want(cli.ExitOK, "capsule update --yes", "up to date") // it was pinned
	p.want(cli.ExitOK, "capsule update demo @org/demo --yes", "demo 2.0.0 is ready")

	// Whatever goes wrong, the installed one stays, and the text says what it was.
	good := h.files[latest]
	fails := func(what string, words ...string) {
		t.Helper()
		p.want(cli.ExitError, "capsule update demo --yes", words...)
		p.want(cli.ExitOK, "capsule verify demo", "ok       demo 2.0.0")
		if s := p.state("demo"); s != "ready" {
			t.Errorf("%s: the capsule is %q", what, s)
		}
	}
	h.files[latest+".blake3"] = []byte(strings.Repeat("0", 64))
	fails("a wrong checksum", "wrong checksum", capsule.Hash(good), "changed or damaged")
	h.hook = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == latest {
			w.Header().Set("Content-Length", fmt.Sprint(len(good)))
			_, _ = w.Write(good[:len(good)/2])
		}
		return r.URL.Path == latest
	}
	fails("a truncated download", "ended early")
	h.hook = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == latest {
			http.Redirect(w, r, "https://127.0.0.1:9/x", http.StatusFound)
		}
		return r.URL.Path == latest
	}
	fails("a redirect to a private address", "private address", "capsules.base_url")
	h.hook = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == latest {
			_, _ = w.Write(good[:10])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}
		return r.URL.Path == latest
	}
	fails("a slow server", "too slow", "nothing arrived for 1s")
	h.hook = func(w http.ResponseWriter, r *http.Request) bool { http.NotFound(w, r); return true }
	fails("no release", "not found", "has no demo.capsule or astrid-demo.capsule", "--build")
	h.hook = nil

	p.want(cli.ExitUsage, "capsule install @org --yes", "write @org/name")
	p.want(cli.ExitError, "capsule install "+h.URL+"/other.capsule --yes", "404 Not Found")
	p.want(cli.ExitError, "capsule install http://example.com/x.capsule --yes", "only https")
	h.files["/x.capsule"] = good
	p.want(cli.ExitError, "capsule install "+h.URL+"/x.capsule --yes", "no checksum is published", "#blake3=")
	p.want(cli.ExitOK, "capsule install "+h.URL+"/x.capsule#blake3="+capsule.Hash(good)+" --yes", "demo 2.0.0 is ready")
}

// serveSource makes a release host that has the source of org/demo, tagged v1.0.0, and no release.
func (p *place) serveSource(files map[string]string) {
	t := p.t
	t.Helper()
	git, err := exec.LookPath("git")
	if err != nil {
		t.Skip("git is not installed")
	}
	backend, err := exec.Command(git, "--exec-path").Output()
	if err != nil {
		t.Fatal(err)
	}
	h := p.releases()
	cli.Program(t, "astrid-build")
	repos := t.TempDir()
	work := filepath.Join(repos, "org", "demo.git")
	if err := os.MkdirAll(work, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(work, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-qm", "x"}, {"tag", "v1.0.0"}} {
		cmd := exec.Command(git, args...)
		cmd.Dir = work
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v %s", args, err, out)
		}
	}
	serve := &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(backend)), "git-http-backend"),
		Env:  []string{"GIT_PROJECT_ROOT=" + repos, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"},
	}
	h.hook = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, ".git/") {
			serve.ServeHTTP(w, r)
			return true
		}
		return false
	}
}

const sourceManifest = "[package]\nname = \"demo\"\nversion = \"1.0.0\"\n[[component]]\nid = \"demo\"\nfile = \"g.wasm\"\n"

// A repository without a release is cloned and built, if the user says so.
func TestInstallFromASource(t *testing.T) {
	p := newPlace(t).compiled()
	wasm, err := guest()
	if err != nil {
		t.Fatal(err)
	}
	p.serveSource(map[string]string{"Capsule.toml": sourceManifest, "g.wasm": string(wasm)})
	p.want(cli.ExitError, "capsule install @org/demo --yes", "--build clones and builds")
	p.answer("n\n", cli.ExitError, "capsule install @org/demo", "runs on this machine", "nothing was installed")
	p.want(cli.ExitOK, "capsule install @org/demo@1.0.0 --yes --build", "demo 1.0.0 is installed")
	p.want(cli.ExitError, "capsule install @org/other --yes --build", "git clone")
	p.want(cli.ExitOK, "capsule verify", "ok       demo 1.0.0")
}

// What somebody else puts above the directory of temporary files has no say in how a clone is built.
func TestCloneIsBuiltApart(t *testing.T) {
	p := newPlace(t)
	p.serveSource(map[string]string{"Capsule.toml": sourceManifest, "go.mod": "module demo\n\ngo 1.24\n", "main.go": "package main\n\nfunc main() { nothingOfThisName() }\n"})
	shared := t.TempDir()
	if err := os.WriteFile(filepath.Join(shared, "go.work"), []byte("from a stranger\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", shared)
	p.want(cli.ExitError, "capsule install @org/demo@1.0.0 --yes --build", "undefined: nothingOfThisName")
	if left, err := filepath.Glob(filepath.Join(p.home.Var(), "source-*")); err != nil || len(left) > 0 {
		t.Errorf("%q is left, %v", left, err)
	}
}

// Two exporters of one interface: the user decides, scripts by a flag.
func TestExportConflict(t *testing.T) {
	p := newPlace(t).compiled()
	exports := func(v string) string { return "[exports.test]\nthing = \"" + v + "\"\n" }
	p.want(cli.ExitOK, "capsule install --yes "+p.pack("one", "1.0.0", exports("1.0.0")))
	p.want(cli.ExitOK, "capsule install --yes "+p.pack("app", "1.0.0", "[imports.test]\nthing = \"^1.0\"\n"))
	two := p.pack("two", "1.0.0", exports("1.1.0"))
	p.want(cli.ExitUsage, "capsule install --yes --keep --replace "+two)
	p.answer("x\n", cli.ExitUsage, "capsule install "+two, "neither replace nor keep")
	p.answer("k\ny\n", cli.ExitOK, "capsule install "+two, "test/thing 1.1.0 is exported by one 1.0.0 too")
	p.want(cli.ExitOK, "capsule list", "one", "two")
	p.answer("r\ny\n", cli.ExitOK, "capsule install "+two, "one 1.0.0 is removed")
	if p.exists(".local", "capsules", "one") {
		t.Error("the replaced one is still there")
	}
	// Another major version serves others, so that is no conflict.
	_, stderr := p.want(cli.ExitOK, "capsule install --yes --replace "+p.pack("three", "1.0.0", exports("2.0.0")))
	if strings.Contains(stderr, "exported by") {
		t.Errorf("said %s", stderr)
	}
	// What replaces must serve those that need the replaced one.
	p.want(cli.ExitOK, "capsule install --yes --keep "+p.pack("four", "1.0.0", exports("1.0.0")))
	p.want(cli.ExitOK, "capsule install --yes --replace "+p.pack("five", "1.0.0", exports("1.2.0")), "two 1.0.0 is removed", "four 1.0.0 is removed")
	p.want(cli.ExitOK, "capsule tree", "exported by: five (1.2.0)")
}

func TestAnswers(t *testing.T) {
	p := newPlace(t).compiled()
	p.environ = map[string]string{"MY_KEY": "geheim", "ASTRID_ANSWER_GREETING": "hello"}
	file := filepath.Join(p.cwd, "answers.toml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("key = \"{{ MY_KEY }}\"\nsize = \"small\"\n")
	install := "capsule install --yes " + p.pack("demo", "1.0.0", envTables) + " --answers " + file
	p.want(cli.ExitOK, install+" --set size=large")
	if got := p.env("demo"); got["key"] != "geheim" || got["size"] != "large" || got["greeting"] != "hello" {
		t.Errorf("settings: %v", got)
	}
	write("key = \"{{ NOT_SET }}\"\n")
	p.want(cli.ExitUsage, install, "NOT_SET is not set")
	write("kee = \"x\"\n")
	p.want(cli.ExitUsage, install, "kee is no setting of demo")
	write("key = [1]\n")
	p.want(cli.ExitUsage, install, "must be a string")
	write("key\n")
	p.want(cli.ExitUsage, install, "name = \"value\"")
}
