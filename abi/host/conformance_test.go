package host

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/audit"
	"github.com/unicity-astrid/astrid-go/ipc"
)

var update = flag.Bool("update", false, "write what the conformance transcripts give")

// everything builds the guest that calls any function on demand, once.
var everything = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "everything")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "everything.wasm")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-ldflags=-s -w", "-o", out, "./testdata/guests/everything")
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=")
	if msg, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, msg)
	}
	bin, err := os.ReadFile(out)
	if err != nil {
		return nil, err
	}
	// Kept, so that the runtimes of the tests find it compiled in the cache they share.
	rt := wazero.NewRuntimeWithConfig(context.Background(), wazero.NewRuntimeConfig().WithCompilationCache(compiled))
	_, err = rt.CompileModule(context.Background(), bin)
	return bin, err
})

// TestConformance plays the transcripts of testdata/conformance through a Go guest that
// is built with the SDK. A file has a comment, whose lines of the form "mode: autonomous"
// set things up, and the sections
//
//	-- ws/NAME --, -- home/NAME --   files
//	-- calls --                      one call a line: function and Go-quoted parameters; $N is the result of line N
//	-- want --                       one outcome a line: "ok" and the quoted result, or the name of the code and the text
//	-- audit --                      the entries of the signed log
//
// in which $WS, $HOME, $BASE and $URL stand for what differs between runs.
func TestConformance(t *testing.T) {
	files, err := filepath.Glob("testdata/conformance/*.txtar")
	must(t, err)
	called := map[abi.Function]bool{}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { play(t, file, called) })
	}
	h := New(Services{})
	for fn := range abi.FunctionCount {
		if !called[fn] && h.table[fn].later == "" {
			t.Errorf("no transcript calls %s", fn)
		}
	}
}

func play(t *testing.T, file string, called map[abi.Function]bool) {
	ar := readArchive(t, file)
	o := rigOptions{now: func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }}
	call := &Call{Principal: "default", Session: "s1"}
	for _, line := range strings.Split(string(ar.comment), "\n") {
		switch line {
		case "mode: autonomous":
			o.rules.Mode = approval.Autonomous
		case "message: alice":
			call = &Call{Principal: "alice", Session: "s2", Message: &ipc.Message{SourceID: "uuid-cli", Timestamp: time.Unix(0, 0).UTC()}}
		}
	}
	r := newRig(t, o)
	r.answers = []json.RawMessage{json.RawMessage(`{"hook":1}`)}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header()["Date"] = nil
		if req.URL.Path == "/moved" {
			http.Redirect(w, req, "/echo", http.StatusFound)
			return
		}
		fmt.Fprintf(w, "%s %s %s", req.Method, req.URL, req.Header.Get("X-Key"))
	}))
	defer srv.Close()
	u, err := url.Parse(srv.URL)
	must(t, err)
	port, err := strconv.Atoi(u.Port())
	must(t, err)
	vars := strings.NewReplacer("$WS", r.ws, "$HOME", r.home, "$URL", srv.URL)
	var calls []byte
	for _, f := range ar.files {
		switch root, name, _ := strings.Cut(f.name, "/"); root {
		case "ws", "home":
			p := filepath.Join(filepath.Dir(r.ws), root, name)
			must(t, os.MkdirAll(filepath.Dir(p), 0o700))
			must(t, os.WriteFile(p, bytes.TrimSuffix(f.data, []byte("\n")), 0o600))
			must(t, os.Chtimes(p, time.Unix(1e9, 0), time.Unix(1e9, 0)))
		case "calls":
			calls = []byte(vars.Replace(string(f.data)))
		}
	}
	g := everythingGrants()
	g.Net = []NetRule{netRule{u.Hostname(), port, true}}
	c := newCapsule(g)
	defer c.Bounds.transport().CloseIdleConnections()
	got := map[string]string{"want": sequence(t, r, c, call, calls, called)}
	for _, p := range []string{"default", "alice"} {
		for e, err := range r.log.Query(context.Background(), audit.Filter{Principal: p}) {
			must(t, err)
			got["audit"] += auditLine(e)
		}
	}
	names := strings.NewReplacer(r.ws, "$WS", r.home, "$HOME", srv.URL, "$URL", filepath.Dir(r.ws), "$BASE")
	for i, f := range ar.files {
		text, ok := got[f.name]
		if !ok {
			continue
		}
		delete(got, f.name)
		if text = varying.ReplaceAllString(names.Replace(text), "$$ID"); text == string(f.data) {
			continue
		}
		if *update {
			ar.files[i].data = []byte(text)
			must(t, os.WriteFile(file, ar.bytes(), 0o644))
			continue
		}
		t.Errorf("%s:\n%swant\n%s", f.name, text, f.data)
	}
	for name, text := range got {
		if text != "" {
			t.Errorf("there is no section %s for\n%s", name, text)
		}
	}
}

// varying are ids that are random.
var varying = regexp.MustCompile(`\b[0-9a-f]{32}\b`)

func auditLine(e audit.Entry) string {
	if e.Kind == audit.KindOutcome {
		s := fmt.Sprintf("outcome %s", e.Outcome.Status)
		if e.CostUSD != nil {
			s += fmt.Sprintf(" %v USD", *e.CostUSD)
		}
		if e.Outcome.Text != "" {
			s += ": " + e.Outcome.Text
		}
		return s + "\n"
	}
	return fmt.Sprintf("%s by %s %s %s %s\n", e.Verdict, e.Layer, e.Principal, e.Function, e.Resource)
}

// sequence makes the calls in one invocation of the guest.
func sequence(t *testing.T, r *rig, c *Capsule, call *Call, lines []byte, called map[abi.Function]bool) string {
	t.Helper()
	type request struct {
		Fn     string `json:"fn"`
		Params []any  `json:"params"`
	}
	var calls []request
	for _, line := range strings.Split(strings.TrimSpace(string(lines)), "\n") {
		fn, rest, _ := strings.Cut(line, " ")
		f, ok := abi.FunctionByName(fn)
		if !ok {
			t.Fatalf("there is no function %q", fn)
		}
		called[f] = true
		req := request{Fn: fn, Params: []any{}}
		for rest = strings.TrimSpace(rest); rest != ""; rest = strings.TrimSpace(rest) {
			if n, tail, ok := strings.Cut(rest+" ", " "); ok && rest[0] == '$' {
				i, err := strconv.Atoi(n[1:])
				must(t, err)
				req.Params, rest = append(req.Params, map[string]int{"result": i}), tail
				continue
			}
			q, err := strconv.QuotedPrefix(rest)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			text, err := strconv.Unquote(q)
			must(t, err)
			req.Params, rest = append(req.Params, map[string]string{"base64": base64.StdEncoding.EncodeToString([]byte(text))}), rest[len(q):]
		}
		calls = append(calls, req)
	}
	payload, err := json.Marshal(map[string]any{"calls": calls})
	must(t, err)
	out := trigger(t, r, c, call, "sequence", payload)
	if len(out) == 0 || out[0] != 0 {
		t.Fatalf("the guest answered %q", out)
	}
	var answers []struct {
		Name, Message string
		Result        []byte
	}
	must(t, json.Unmarshal(out[1:], &answers))
	var b strings.Builder
	for _, a := range answers {
		if a.Name == "ok" {
			fmt.Fprintf(&b, "ok %q\n", a.Result)
		} else {
			fmt.Fprintf(&b, "%s %s\n", a.Name, a.Message)
		}
	}
	return b.String()
}

// trigger runs an action of the everything guest in a new instance.
func trigger(t *testing.T, r *rig, c *Capsule, call *Call, action string, payload []byte) []byte {
	t.Helper()
	bin, err := everything()
	must(t, err)
	ctx := context.Background()
	if r.rt.Module(abi.ModuleWASI) == nil {
		_, err = wasi_snapshot_preview1.Instantiate(ctx, r.rt)
		must(t, err)
	}
	inst, err := r.host.NewInstance(c, false)
	must(t, err)
	defer inst.Close()
	ctx = Enter(ctx, inst, call)
	mod, err := r.rt.InstantiateWithConfig(ctx, bin, wazero.NewModuleConfig().WithName("").WithStartFunctions("_initialize").
		WithSysWalltime().WithSysNanotime().WithRandSource(rand.Reader).WithStderr(os.Stderr))
	must(t, err)
	defer mod.Close(ctx)
	input := abi.EncodeHookInput(action, payload)
	inst.Park(input)
	res, err := mod.ExportedFunction(abi.ExportHookTrigger).Call(ctx, uint64(len(input)))
	must(t, err)
	out, ok := mod.Memory().Read(uint32(res[0]>>32), uint32(res[0]))
	if !ok {
		t.Fatalf("output %#x lies outside of the guest's memory", res[0])
	}
	return bytes.Clone(out)
}
