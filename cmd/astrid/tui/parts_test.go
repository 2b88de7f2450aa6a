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
		"plain\ttext\n":   "plain\ttext\n",
		"a\r\nb\rc":       "a\nb\\u000dc",
		"\x1b[2J\x07":     "\\u001b[2J\\u0007",
		"\u009b31m":       "\\u009b31m",
		"a\u202eb":        "a\\u202eb",
		"a\u200bb\ufeffc": "a\\u200bb\\ufeffc", // nobody would see them
		"a\U000e0041b":    "a\\ue0041b",
		"עברית وعربي":     "עברית وعربي",
		"bad \xff bytes":  "bad \ufffd bytes",
		"é 日本 👩‍👩‍👧":      "é 日本 👩‍👩‍👧",
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
	f.Add("0    語0👩0000", 3, 2)
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
	if got, err := readHistory(path, "/ws"); err != nil || got != nil {
		t.Fatalf("%q %v", got, err)
	}
	want := []string{"one", "two\nlines", `"quoted"`, "<&>"}
	for _, s := range want {
		if err := appendHistory(path, "/ws", s); err != nil {
			t.Fatal(err)
		}
	}
	got, err := readHistory(path, "/ws")
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%q %v", got, err)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", fi.Mode(), err)
	}
	if err := appendHistory(path, "/elsewhere", "not here"); err != nil {
		t.Fatal(err)
	}
	if got, err := readHistory(path, "/ws"); err != nil || !slices.Equal(got, want) {
		t.Errorf("prompts of another directory: %q %v", got, err)
	}
	// Lines that another program wrote, and a file that others could read.
	if err := os.WriteFile(path, []byte("plain line\n\n"+strings.Repeat("\"x\"\n", 2*maxHistory)), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := readHistory(path, "/ws"); err != nil || len(got) != maxHistory {
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
	if appendHistory(link, "/ws", "x") == nil {
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

func TestCustomCommands(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"review.md": "# Review a file\nLook at $1.", "Bad Name.md": "x", "notes.txt": "x", "big.md": strings.Repeat("x", maxCustomSize+1), "hostile.md": "\x1b[2J"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "link.md")); err != nil {
		t.Fatal(err)
	}
	got, err := loadCustom(dir, "yours")
	if len(got) != 2 || got[1].Name != "review" || got[1].What != "Review a file" || got[0].Text != `\u001b[2J` {
		t.Errorf("%+v", got)
	}
	for _, name := range []string{"Bad Name", "big", "link"} {
		if err == nil || !strings.Contains(err.Error(), name+".md") {
			t.Errorf("nothing is said of %s: %v", name, err)
		}
	}
	if got, err := loadCustom(filepath.Join(dir, "absent"), ""); got != nil || err != nil {
		t.Errorf("%v %v", got, err)
	}
}

func TestBranch(t *testing.T) {
	dir := t.TempDir()
	write := func(path, text string) {
		t.Helper()
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("repo/.git/HEAD", "ref: refs/heads/feature/x\n")
	write("repo/sub/file", "")
	write("detached/.git/HEAD", "0123456789abcdef\n")
	write("hostile/.git/HEAD", "ref: refs/heads/a\x1b[2J\n")
	write("tree/.git", "gitdir: ../repo/.git/worktrees/t\n")
	write("repo/.git/worktrees/t/HEAD", "ref: refs/heads/side\n")
	write("huge/.git/HEAD", strings.Repeat("x", 1<<20))
	for path, want := range map[string]string{"repo": "feature/x", "repo/sub": "feature/x", "detached": "01234567", "hostile": `a\u001b[2J`, "tree": "side", "huge": ""} {
		if got := branch(filepath.Join(dir, path)); got != want {
			t.Errorf("%s: %q, not %q", path, got, want)
		}
	}
}

func TestListFiles(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{"a.go", "cmd/b.go", ".git/config", "node_modules/x.js", "bad\x1bname"} {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/", filepath.Join(dir, "root")); err != nil {
		t.Fatal(err)
	}
	if got := listFiles(dir); !slices.Equal(got, fileList{"a.go", "cmd/", "cmd/b.go", "root"}) {
		t.Errorf("%q", got)
	}
}

// TestListWithChanges: what the agent made is there, what it deleted is not.
func TestListWithChanges(t *testing.T) {
	disk := fileList{"a.go", "cmd/", "cmd/b.go", "cmd2", "old/", "old/x"}
	got := disk.with([]abi.OverlayChange{
		{Path: "a.go", Op: "modified", OldKind: "file", NewKind: "file"},
		{Path: "bad\x1bname", Op: "added", NewKind: "file"},
		{Path: "cmd/b.go", Op: "deleted", OldKind: "file"},
		{Path: "new", Op: "added", NewKind: "directory"},
		{Path: "new/c.go", Op: "added", NewKind: "file"},
		{Path: "node_modules/y.js", Op: "added", NewKind: "file"},
		{Path: "old", Op: "deleted", OldKind: "directory"},
	})
	if want := (fileList{"a.go", "cmd/", "cmd2", "new/", "new/c.go"}); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if len(disk) != 6 || disk[2] != "cmd/b.go" {
		t.Errorf("the list itself is now %q", disk)
	}
}

func TestPlanOf(t *testing.T) {
	got := planOf(json.RawMessage(`{"plan":[{"step":"look","status":"completed"},{"step":"write\u001b[2J","status":"in_progress"},{"step":"test","status":"pending"},{"step":"no status"}]}`))
	want := []step{{text: "look", done: true}, {text: `write\u001b[2J`, now: true}, {text: "test"}}
	if !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
	for _, raw := range []string{`{}`, `{"plan":"a"}`, `[]`, `{"steps":[1]}`} {
		if got := planOf(json.RawMessage(raw)); got != nil {
			t.Errorf("%s: %+v", raw, got)
		}
	}
}

func TestLastCode(t *testing.T) {
	for in, want := range map[string]string{
		"a\n```go\nx\n```\nb\n~~~\ny\nz\n~~~\n": "y\nz",
		"none":                                  "",
		"```\nunfinished":                       "",
		"````\n```\nx\n```\n````":               "```\nx\n```",
	} {
		if got := lastCode(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}
