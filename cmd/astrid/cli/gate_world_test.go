package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/distros"
	"github.com/unicity-astrid/astrid-go/kernel"
	"github.com/unicity-astrid/astrid-go/kernel/home"
)

// world is a home with the stock distribution, whose provider talks to a server of the
// test: each prompt is one guarded request. Commands run in this process.
type world struct {
	t    *testing.T
	home home.Home
	cwd  string
	hits *atomic.Int64 // requests that reached the server
	told *atomic.Value // what the model was told by its last tool call
	k    *kernel.Kernel
}

const provider = "astrid-capsule-openai-compat"

// run runs a command line and returns its exit code and what it wrote.
func (w *world) run(args ...string) (code int, stdout, stderr string) {
	w.t.Helper()
	var out, errs bytes.Buffer
	code = Main(args, w.system(strings.NewReader(""), &out, &errs))
	return code, out.String(), errs.String()
}

// system is the world's home and directory for a command, with no terminal.
func (w *world) system(stdin io.Reader, stdout, stderr io.Writer) System {
	return System{
		Stdin: stdin, Stdout: stdout, Stderr: stderr,
		Getenv: func(name string) (string, bool) {
			if name == "ASTRID_HOME" {
				return w.home.Root(), true
			}
			return "", false
		},
		Getwd:      func() (string, error) { return w.cwd, nil },
		IsTerminal: func(any) bool { return false },
	}
}

// want runs a command line that must end with a code and returns what it wrote.
func (w *world) want(code int, args ...string) (stdout, stderr string) {
	w.t.Helper()
	got, stdout, stderr := w.run(args...)
	if got != code {
		w.t.Fatalf("astrid %s: exit %d, want %d\n%s%s", strings.Join(args, " "), got, code, stdout, stderr)
	}
	return stdout, stderr
}

// decode runs a command line with --json and decodes what it printed.
func decode[T any](w *world, args ...string) T {
	w.t.Helper()
	out, _ := w.want(ExitOK, append(args, "--json")...)
	var v T
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		w.t.Fatalf("astrid %s: %v in %s", strings.Join(args, " "), err, out)
	}
	return v
}

// prompt runs a turn and checks its exit code and whether its request reached the server.
func (w *world) prompt(code int, session string, more ...string) (stderr string) {
	w.t.Helper()
	before := w.hits.Load()
	stdout, stderr := w.want(code, append([]string{"-p", "hello", "--session", session}, more...)...)
	n := w.hits.Load() - before
	if code == ExitOK && (n != 1 || stdout != "hi there\n") || code != ExitOK && n != 0 {
		w.t.Fatalf("exit %d, but %d requests reached the server; it said %q, %q", code, n, stdout, stderr)
	}
	return stderr
}

// waiting returns the only request that waits.
func (w *world) waiting() abi.ApprovalInfo {
	w.t.Helper()
	list := decode[[]abi.ApprovalInfo](w, "approvals")
	if len(list) != 1 {
		w.t.Fatalf("waiting are %+v, want one", list)
	}
	return list[0]
}

// entry is what tests read of a stored audit entry.
type entry struct {
	ID, Verdict, Layer, Rule, Source, Resource, Of, Type string
	Proof                                                struct{ Kind, ID string }
}

func (w *world) query(args ...string) []entry {
	w.t.Helper()
	out, _ := w.want(ExitOK, append([]string{"audit", "query", "--json"}, args...)...)
	var list []entry
	for d := json.NewDecoder(strings.NewReader(out)); ; {
		var e entry
		if err := d.Decode(&e); err == io.EOF {
			return list
		} else if err != nil {
			w.t.Fatal(err)
		}
		list = append(list, e)
	}
}

func (w *world) boot() {
	w.t.Helper()
	k, err := kernel.Boot(w.t.Context(), kernel.Options{Home: w.home, Workspace: w.cwd, Version: Version})
	if err != nil {
		w.t.Fatal(err)
	}
	w.k = k
}

func (w *world) shutdown() {
	w.t.Helper()
	if w.k == nil {
		return
	}
	k := w.k
	w.k = nil
	if err := k.Shutdown("test"); err != nil {
		w.t.Errorf("shutdown: %v", err)
	}
}

func (w *world) restart() {
	w.t.Helper()
	w.shutdown()
	w.boot()
}

func (w *world) write(path, text string) {
	w.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) consentFile() string {
	p, err := w.home.Principal(home.DefaultPrincipal)
	if err != nil {
		w.t.Fatal(err)
	}
	return capsule.ConsentPath(p.Root(), provider)
}

// template is a world that was booted once, so that all modules are compiled.
func template(t *testing.T) *world {
	t.Helper()
	hits := new(atomic.Int64)
	told := new(atomic.Value)
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		rw.Header().Set("content-type", "text/event-stream")
		var body struct {
			Messages []struct{ Role, Content string }
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || len(body.Messages) == 0 {
			http.Error(rw, "no messages", http.StatusBadRequest)
			return
		}
		switch last := body.Messages[len(body.Messages)-1]; {
		case last.Role == "tool":
			told.Store(last.Content)
		case strings.HasPrefix(last.Content, "read "):
			args, _ := json.Marshal(map[string]string{"file_path": strings.TrimPrefix(last.Content, "read ")})
			call, _ := json.Marshal(string(args))
			fmt.Fprintf(rw, `data: {"choices":[{"index":0,"delta":{"role":"assistant","tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"read_file","arguments":%s}}]}}]}`+"\n\n"+
				`data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}`+"\n\ndata: [DONE]\n\n", call)
			return
		}
		fmt.Fprint(rw, `data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"hi there"}}]}`+"\n\n"+
			`data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}`+"\n\ndata: [DONE]\n\n")
	}))
	t.Cleanup(srv.Close)
	w := &world{t: t, home: shortHome(t), cwd: realDir(t), hits: hits, told: told}
	Stock(t, w.home)
	w.want(ExitOK, "init", "--yes", "--distro", distros.Minimal, "--provider", "openai-compat", "--set", "openai_base_url="+srv.URL, "--set", "openai_model=m", "--set", "openai_api_key=k")
	w.boot()
	w.prompt(ExitOK, "warm") // consent was given: it needs no approval
	w.shutdown()
	return w
}

func shortHome(t *testing.T) home.Home {
	t.Helper()
	dir, err := os.MkdirTemp("", "ac") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	h, err := home.New(filepath.Join(dir, "h"))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func realDir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// fresh copies what is installed and compiled into a home without state. Without consent,
// whatever the provider does has to be approved.
func (w *world) fresh(t *testing.T, consent bool, config string) *world {
	t.Helper()
	n := &world{t: t, home: shortHome(t), cwd: realDir(t), hits: w.hits, told: w.told}
	from := w.home.Root()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		to := filepath.Join(n.home.Root(), rel)
		fi, err := d.Info()
		switch {
		case err != nil:
			return err
		case d.IsDir() && (path == w.home.Run() || path == w.home.AuditAnchorDir() || strings.HasSuffix(path, "/.local/audit")):
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(to, fi.Mode().Perm())
		case path == w.home.StateDB() || path == w.home.RuntimeKey() || !fi.Mode().IsRegular():
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(to, data, fi.Mode().Perm())
	})
	if err != nil {
		t.Fatal(err)
	}
	if !consent {
		if err := os.Remove(n.consentFile()); err != nil {
			t.Fatal(err)
		}
	}
	if config != "" {
		n.write(n.home.ConfigFile(), config)
	}
	n.boot()
	t.Cleanup(n.shutdown)
	return n
}
