package tui

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"github.com/unicity-astrid/astrid-go/abi"
)

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"plain\ttext\n":  "plain\ttext\n",
		"a\r\nb\rc":      "a\nb\\u000dc",
		"\x1b[2J\x07":    "\\u001b[2J\\u0007",
		"\u009b31m":      "\\u009b31m",
		"a\u202eb":       "a\\u202eb",
		"bad \xff bytes": "bad \ufffd bytes",
		"é 日本 👩‍👩‍👧":     "é 日本 👩‍👩‍👧",
	} {
		if got := printable(in); got != want {
			t.Errorf("%q: %q, not %q", in, got, want)
		}
	}
}

func TestOnlyStyles(t *testing.T) {
	for in, want := range map[string]string{
		"\x1b[1;31mred\x1b[0m":                     "\x1b[1;31mred\x1b[0m",
		"\x1b]8;;http://x\x1b\\text\x1b]8;;\x1b\\": "text",
		"\x1b]8;;http://x\atext\x1b]8;;\a":         "text",
		"\x1b]0;title\a":                           "\\u001b]0;title\\u0007",
		"\x1b[2J":                                  "\\u001b[2J",
		"\x1b[?25l":                                "\\u001b[?25l",
		"\x1b":                                     "\\u001b",
	} {
		if got := onlyStyles(in); got != want {
			t.Errorf("%q: %q, not %q", in, got, want)
		}
	}
}

func TestArguments(t *testing.T) {
	for in, want := range map[string]string{
		`{"file_path":"a b"}`:            "a b",
		`{"z":"1","a":[1, 2]}`:           "z=1 a=[1, 2]",
		`{}`:                             "",
		`null`:                           "null",
		`{"a":"line\none","b":"\u001b"}`: `a=line one b=\u001b`,
		`not json`:                       "not json",
		``:                               "",
	} {
		if got := arguments(json.RawMessage(in)); got != want {
			t.Errorf("%s: %q, not %q", in, got, want)
		}
	}
}

func FuzzEditor(f *testing.F) {
	f.Add("hello world\nnext 日本語 👩‍👩‍👧 line", 8, 5)
	f.Add("\n\n", 1, 1)
	f.Fuzz(func(t *testing.T, s string, width, moves int) {
		e := editor{width: 1 + abs(width)%60}
		e.set("")
		e.insert(s)
		rows := e.rows()
		at := 0
		for i, r := range rows {
			if r.start != at && (r.start != at+1 || e.text[at] != '\n') {
				t.Fatalf("%q: row %d begins at %d, not %d", e.text, i, r.start, at)
			}
			at = r.end
			if g, _ := cluster(e.text[r.start:r.end]); ansi.StringWidth(e.text[r.start:r.end]) > e.width && len(g) < r.end-r.start {
				t.Fatalf("%q: row %d is wider than %d", e.text, i, e.width)
			}
		}
		if at != len(e.text) {
			t.Fatalf("%q: the rows end at %d", e.text, at)
		}
		for range abs(moves) % 50 {
			for _, step := range []func(){func() { e.vertical(-1) }, func() { e.cursor = e.before() }, func() { e.vertical(1) }, func() { e.cursor = e.after() }, func() { e.cursor = e.wordBefore() }} {
				step()
				if e.cursor < 0 || e.cursor > len(e.text) {
					t.Fatalf("%q: the cursor is at %d", e.text, e.cursor)
				}
			}
			if row, _ := e.position(); row < 0 || row >= len(rows) {
				t.Fatalf("%q: the cursor is in row %d", e.text, row)
			}
		}
	})
}

func abs(n int) int {
	if n < 0 {
		return -(n + 1)
	}
	return n
}

func TestHistoryFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history")
	if got, err := readHistory(path); err != nil || got != nil {
		t.Fatalf("%q %v", got, err)
	}
	want := []string{"one", "two\nlines", `"quoted"`, "<&>"}
	for _, s := range want {
		if err := appendHistory(path, s); err != nil {
			t.Fatal(err)
		}
	}
	got, err := readHistory(path)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%q %v", got, err)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", fi.Mode(), err)
	}
	// Lines that another program wrote, and a file that others could read.
	if err := os.WriteFile(path, []byte("plain line\n\n"+strings.Repeat("\"x\"\n", 2*maxHistory)), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := readHistory(path); err != nil || len(got) != maxHistory {
		t.Errorf("%d entries, %v", len(got), err)
	}
	b, err := os.ReadFile(path)
	if fi, serr := os.Stat(path); err != nil || serr != nil || strings.Count(string(b), "\n") != maxHistory || fi.Mode().Perm() != 0o600 {
		t.Errorf("the file was not cut: %d lines", strings.Count(string(b), "\n"))
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if appendHistory(link, "x") == nil {
		t.Error("a symlink is followed")
	}
}

func TestUTF8Locale(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		want bool
	}{
		{nil, false},
		{map[string]string{"LANG": "C.UTF-8"}, true},
		{map[string]string{"LANG": "en_US.utf8"}, true},
		{map[string]string{"LANG": "C.UTF-8", "LC_ALL": "C"}, false},
		{map[string]string{"LC_CTYPE": "C.UTF-8", "LC_ALL": ""}, true},
	} {
		get := func(k string) (string, bool) { v, ok := c.env[k]; return v, ok }
		if got := utf8Locale(get); got != c.want {
			t.Errorf("%v: %v", c.env, got)
		}
	}
}

func TestDecode(t *testing.T) {
	for _, c := range []struct {
		topic, payload string
		want           string
	}{
		{abi.TopicAgentDelta, `{"type":"custom","data":{"session_id":"s","turn_id":"t","text":"x"}}`, `tui`},
		{abi.TopicAgentDelta, `{"type":"custom","data":7}`, `bad`},
		{"registry.v1.active_model_changed", `{"type":"custom","data":null}`, `tui`},
		{"registry.v1.response.set_active_model", `{"type":"custom","data":{"error":"no"}}`, `tui`},
		{"registry.v1.response.get_providers", `{"type":"custom","data":{}}`, `bad`},
		{"agent.v1.something", `{}`, ``},
	} {
		m := decode(abi.Message{Topic: c.topic, Payload: json.RawMessage(c.payload)})
		_, bad := m.(badMsg)
		got := map[bool]string{true: "bad", false: "tui"}[bad]
		if m == nil {
			got = ""
		}
		if got != c.want {
			t.Errorf("%s %s: %#v", c.topic, c.payload, m)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(abi.TopicApproval, `{"type":"approval_required","request_id":"r","choices":[{"choice":"approve","grants":"x"}],"deadline":"2026-01-01T00:00:00Z"}`)
	f.Add(abi.TopicAgentResponse, `{"type":"agent_response","text":"x","is_final":true}`)
	f.Fuzz(func(t *testing.T, topic, payload string) {
		b := newOnline(t, 60, 16)
		if m := decode(abi.Message{Topic: topic, Payload: json.RawMessage(payload)}); m != nil {
			b.put(m)
			checkFrame(t, b)
		}
	})
}
