package host

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/audit"
	"github.com/unicity-astrid/astrid-go/ipc"
)

var update = flag.Bool("update", false, "write what the conformance transcripts give")

// convention plays the calls of a transcript in one calling convention.
type convention interface {
	name() string
	// play makes the calls one after the other, in one guest, and returns what came of each.
	play(t *testing.T, r *rig, c *Capsule, call *Call, calls []transcriptCall) []outcome
}

// conventions are those that every transcript is played in.
var conventions = []convention{goGuest{}, watGuest{}, pdkGuest{}}

// transcriptCall is one line of a transcript.
type transcriptCall struct {
	fn     abi.Function
	params []transcriptParam
}

// transcriptParam is a text, or the result of an earlier line.
type transcriptParam struct {
	text   string
	result int // -1: text counts
}

// outcome is what a call came to.
type outcome struct {
	code   string // "ok", or the name of an abi.Code, or what the convention has instead ("trap")
	text   string // of an error
	result []byte
}

func (o outcome) String() string {
	if o.code == "ok" {
		return fmt.Sprintf("ok %q\n", o.result)
	}
	return fmt.Sprintf("%s %s\n", o.code, o.text)
}

// TestConformance plays the transcripts of testdata/conformance in each convention. A file
// has a comment, of which some lines set things up (mode: NAME; message: PRINCIPAL, who sent what the guest
// handles; lifecycle, it is being installed; answer: TEXT, what the person says; peer: TEXT, what is sent to a
// socket as soon as it is bound), and the sections
//
//	-- ws/NAME --, -- home/NAME --   files
//	-- calls --                      one call a line: function and Go-quoted parameters; $N is the result of line N
//	-- want --                       one outcome a line: "ok" and the quoted result, or the name of the code and the text
//	-- want CONVENTION --            the same, where a convention differs
//	-- audit --                      the entries of the signed log, the same in all
//	-- audit CONVENTION --           unless a convention does not get that far
//
// in which $WS, $HOME, $BASE and $URL stand for what differs between runs. With -update, what
// the native convention gives is written to the file; of other conventions only into sections of theirs.
func TestConformance(t *testing.T) {
	files, err := filepath.Glob("testdata/conformance/*.txtar")
	must(t, err)
	called := map[abi.Function]bool{}
	for _, file := range files {
		for _, conv := range conventions {
			t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar")+"/"+conv.name(), func(t *testing.T) { play(t, file, conv, called) })
		}
	}
	for fn := range abi.FunctionCount {
		if !called[fn] {
			t.Errorf("no transcript calls %s", fn)
		}
	}
}

func play(t *testing.T, file string, conv convention, called map[abi.Function]bool) {
	ar, err := txtar.ParseFile(file)
	must(t, err)
	o := rigOptions{now: func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }}
	call := &Call{Principal: "default", Session: "s1"}
	var person *string
	peer := ""
	for _, line := range strings.Split(string(ar.Comment), "\n") {
		key, rest, _ := strings.Cut(line, ": ")
		switch key {
		case "mode":
			var err error
			o.rules.Mode, err = approval.ParseMode(rest)
			must(t, err)
		case "lifecycle":
			call.Lifecycle = true
		case "answer":
			person = &rest
		case "peer":
			peer = rest
		case "message":
			call = &Call{Principal: rest, Session: "s2", Message: &ipc.Message{SourceID: "uuid-cli", Timestamp: time.Unix(0, 0).UTC()}}
		}
	}
	r := newRig(t, o)
	r.ask = func(context.Context, abi.OnboardingField) (abi.ElicitResponse, error) {
		if person == nil {
			return abi.ElicitResponse{}, ErrNobody
		}
		return abi.ElicitResponse{Value: person}, nil
	}
	r.onBind = func(path string) { // the peer is there before the guest is
		conn, err := net.Dial("unix", path)
		must(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		_, err = conn.Write(wire(peer))
		must(t, err)
	}
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
	for _, f := range ar.Files {
		switch root, name, _ := strings.Cut(f.Name, "/"); root {
		case "ws", "home":
			p := filepath.Join(filepath.Dir(r.ws), root, name)
			must(t, os.MkdirAll(filepath.Dir(p), 0o700))
			must(t, os.WriteFile(p, bytes.TrimSuffix(f.Data, []byte("\n")), 0o600))
			must(t, os.Chtimes(p, time.Unix(1e9, 0), time.Unix(1e9, 0)))
		case "calls":
			calls = []byte(vars.Replace(string(f.Data)))
		}
	}
	g := everythingGrants()
	g.Net = []NetRule{netRule{u.Hostname(), port, true}}
	c := newCapsule(g)
	defer c.Bounds.transport().CloseIdleConnections()
	tcs := parseCalls(t, calls)
	for _, tc := range tcs {
		called[tc.fn] = true
	}
	want, log := section(ar, "want", conv), section(ar, "audit", conv)
	got := map[string]string{want: "", log: ""}
	for i, o := range conv.play(t, r, c, call, tcs) {
		got[want] += o.String()
		if fn := tcs[i].fn; o.code != "ok" && !slices.ContainsFunc(r.host.failures(fn), func(c abi.Code) bool { return c.String() == o.code }) && conv.name() != "extism" {
			t.Errorf("%s fails with %s, which its description does not say", fn, o.code)
		}
	}
	for _, p := range []string{"default", "alice"} {
		for e, err := range r.log.Query(context.Background(), audit.Filter{Principal: p}) {
			must(t, err)
			got[log] += auditLine(e)
		}
	}
	names := strings.NewReplacer(r.ws, "$WS", r.home, "$HOME", srv.URL, "$URL", filepath.Dir(r.ws), "$BASE")
	for i, f := range ar.Files {
		text, ok := got[f.Name]
		if !ok {
			continue
		}
		delete(got, f.Name)
		if text = varying.ReplaceAllString(names.Replace(text), "$$ID"); text == string(f.Data) {
			continue
		}
		if *update && (conv.name() == "native" || strings.Contains(f.Name, " ")) {
			ar.Files[i].Data = []byte(text)
			must(t, os.WriteFile(file, txtar.Format(ar), 0o644))
			continue
		}
		t.Errorf("%s:\n%swant\n%s", f.Name, text, f.Data)
	}
	for name, text := range got {
		if text != "" {
			t.Errorf("there is no section %s for\n%s", name, text)
		}
	}
}

// varying are ids that are random.
var varying = regexp.MustCompile(`\b[0-9a-f]{32}\b|\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b`)

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

// section is the section of a convention where it has its own, else the common one.
func section(ar *txtar.Archive, kind string, conv convention) string {
	for _, f := range ar.Files {
		if f.Name == kind+" "+conv.name() {
			return f.Name
		}
	}
	return kind
}

// parseCalls reads a section of calls.
func parseCalls(t *testing.T, lines []byte) []transcriptCall {
	t.Helper()
	var calls []transcriptCall
	for _, line := range strings.Split(strings.TrimSpace(string(lines)), "\n") {
		name, rest, _ := strings.Cut(line, " ")
		fn, ok := abi.FunctionByName(name)
		if !ok {
			t.Fatalf("there is no function %q", name)
		}
		tc := transcriptCall{fn: fn}
		for rest = strings.TrimSpace(rest); rest != ""; rest = strings.TrimSpace(rest) {
			if n, tail, ok := strings.Cut(rest+" ", " "); ok && rest[0] == '$' {
				i, err := strconv.Atoi(n[1:])
				must(t, err)
				tc.params, rest = append(tc.params, transcriptParam{result: i}), tail
				continue
			}
			q, err := strconv.QuotedPrefix(rest)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			text, err := strconv.Unquote(q)
			must(t, err)
			tc.params, rest = append(tc.params, transcriptParam{text, -1}), rest[len(q):]
		}
		calls = append(calls, tc)
	}
	return calls
}
