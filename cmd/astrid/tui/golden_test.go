package tui

import (
	"errors"
	"fmt"
	"image/color"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/exp/golden"

	"github.com/unicity-astrid/astrid-go/abi"
)

var sizes = [][2]int{{80, 24}, {120, 40}, {40, 10}}

const sampleAnswer = "The project has **two** parts:\n\n1. `cmd`, the programs\n2. `kernel`\n\n```go\nfunc main() {\n\tcli.Main()\n}\n```\n\n| part | files |\n|---|---|\n| cmd | 12 |\n\nSee [the docs](https://example.com/docs)."

// states are the screens whose frames are kept.
var states = map[string]func(b *bench){
	"start": func(b *bench) { b.put(connectingMsg{"starting the daemon"}) },
	"idle":  func(b *bench) { b.connect() },
	"history": func(b *bench) {
		b.connect(abi.TextMessage(abi.RoleUser, "what is here?"),
			abi.ChatMessage{Role: abi.RoleAssistant, Content: abi.Content{Calls: []abi.ToolCall{{ID: "c", Name: "list_directory", Arguments: []byte(`{"dir_path":"."}`)}}}},
			abi.ChatMessage{Role: abi.RoleTool, Content: abi.Content{Result: &abi.ToolCallResult{CallID: "c", Content: `"cmd\nkernel"`}}},
			abi.TextMessage(abi.RoleAssistant, sampleAnswer))
	},
	"copy": func(b *bench) {
		b.connect(abi.TextMessage(abi.RoleUser, "what is here?"), abi.TextMessage(abi.RoleAssistant, sampleAnswer))
		b.keys("/copy list", "enter", "down")
	},
	"selection": func(b *bench) {
		b.connect()
		list := selectionMsg{RequestID: "r", Title: "Which model answers?", CallbackTopic: "registry.v1.selection.callback"}
		for i := range 30 {
			list.Options = append(list.Options, abi.SelectionOption{ID: fmt.Sprint(i), Label: fmt.Sprintf("model-%d", i), Description: "takes pictures, 200k tokens"})
		}
		b.put(list)
		b.keys("pgdown", "down")
	},
	"streaming": func(b *bench) {
		b.connect()
		b.keys("explain the layout", "enter")
		b.put(sentMsg{"t1"}, started("t1"), reasoningMsg{SessionID: testSession, TurnID: "t1", Text: "Let me look.\nThere are files."})
		b.put(delta("t1", "A first paragraph with *emphasis*.\n\nThe second one is still bei"))
		b.wait(3 * time.Second)
	},
	"tools": func(b *bench) {
		b.connect()
		b.keys("look around", "enter")
		b.put(started("t1"), toolStart("t1", "a", "read_file", `{"file_path":"README.md"}`), toolStart("t1", "b", "grep_search", `{"pattern":"main","dir_path":"cmd"}`),
			toolStart("t1", "c", "run", `{"command":"sleep 9"}`))
		b.put(toolEnd("t1", "a", `"one\ntwo\nthree\nfour\nfive\nsix"`, false), toolEnd("t1", "b", "permission denied\nby policy", true))
		b.wait(1500 * time.Millisecond)
		b.keys("and then more", "enter")
	},
	"unfolded": func(b *bench) {
		b.connect()
		b.keys("look around", "enter")
		b.put(started("t1"), reasoningMsg{SessionID: testSession, TurnID: "t1", Text: "hm, what now"},
			toolStart("t1", "a", "read_file", `{"file_path":"README.md"}`), toolEnd("t1", "a", `"one\ntwo\nthree\nfour\nfive"`, false), completed("t1", "end_turn"), final("t1", "Done."))
		b.keys("ctrl+o")
	},
	"failed": func(b *bench) {
		b.connect()
		b.keys("go", "enter")
		c := completed("t1", "error").(abi.TurnCompleted)
		c.Error = &abi.TurnError{Kind: "provider", Message: "the provider answered 401: check the key"}
		b.put(started("t1"), c, final("t1", "the provider answered 401: check the key"))
	},
	"hostile": func(b *bench) {
		b.connect()
		b.keys("go", "enter")
		text := "clear \x1b[2J title \x1b]0;x\a bidi \u202e entity &#27;[2J end"
		b.put(started("t1"), toolStart("t1", "a", "x\x1b[2J", `{"a":"\u001b[31m"}`), toolEnd("t1", "a", "\x1b[2Jcleared", false))
		b.put(delta("t1", text), completed("t1", "end_turn"), final("t1", text))
	},
	"wide": func(b *bench) {
		b.connect()
		b.keys("数え切れないほどの質問をする日本語の長い文章です。もう一つの文。", "enter")
		b.put(started("t1"), completed("t1", "end_turn"), final("t1", "はい 👩‍👩‍👧 ok 🎉 日本語の答えはこのように長くなることもありますが、それでも枠に収まります。"))
		b.keys("下書き🎉")
	},
	"scrolled": func(b *bench) {
		b.connect(many(60)...)
		b.keys("go", "enter")
		b.put(started("t1"))
		b.keys("pgup")
		b.put(delta("t1", "new text"))
	},
	"plan": func(b *bench) {
		b.connect()
		b.keys("refactor", "enter")
		b.put(branchMsg("main"), modelMsg{id: "gpt", context: 128000}, budgetMsg{SpentUSD: 0.031, MaxUSD: 5})
		b.put(started("t1"), toolStart("t1", "p", "update_plan", `{"plan":[{"step":"read the code","status":"completed"},{"step":"write the change","status":"in_progress"},{"step":"run the tests","status":"pending"}]}`), toolEnd("t1", "p", "ok", false))
		b.put(delta("t1", strings.Repeat("Working on it. ", 3000)))
	},
	"files": func(b *bench) {
		b.connect()
		b.ListFiles = func() fileList { return fileList{"cmd/", "cmd/main.go", "docs/manual.md", "README.md"} }
		b.keys("explain @ma")
	},
	"search": func(b *bench) {
		b.connect()
		b.put(historyMsg{entries: []string{"list the files", "read README.md", "list what changed"}})
		b.keys("ctrl+r", "list")
	},
	"steering": func(b *bench) {
		b.connect()
		b.keys("go", "enter")
		b.put(started("t1"))
		b.keys("mind the tests", "ctrl+s", "and then this", "enter")
	},
	"pasted": func(b *bench) {
		b.connect()
		b.put(tea.PasteMsg{Content: strings.Repeat("a line of a log\n", 400)})
	},
	"palette":   func(b *bench) { b.connect(); b.keys("/", "down") },
	"help":      func(b *bench) { b.connect(); b.keys("/help", "enter") },
	"multiline": func(b *bench) { b.connect(); b.keys("first", "ctrl+j", "second\\", "enter", "third") },
	"approval": func(b *bench) {
		b.connect()
		b.keys("ship it", "enter")
		b.put(started("t1"), delta("t1", "I will open an issue."), question(b, "q1"), question(b, "q2"))
		b.wait(time.Second)
		b.keys("2")
	},
	"denying": func(b *bench) {
		b.connect()
		b.put(question(b, "q1"))
		b.wait(time.Second)
		b.keys("0", "enter", "use the other tracker")
	},
	"lost": func(b *bench) {
		b.connect(abi.TextMessage(abi.RoleUser, "hello"))
		b.put(lostMsg{errors.New("the daemon closed the connection (EOF)")})
	},
	"restarted": func(b *bench) {
		b.connect()
		b.keys("one", "enter", "two", "enter")
		b.put(sentMsg{"t1"}, sentMsg{"t2"}, started("t1"), lostMsg{errors.New("gone")})
		b.put(connectedMsg{session: testSession, pid: 2, history: []abi.ChatMessage{abi.TextMessage(abi.RoleUser, "one")}})
	},
}

func (b *bench) connect(history ...abi.ChatMessage) {
	b.put(connectedMsg{session: testSession, pid: 1, history: history})
	b.put(modeMsg{Mode: "safe", Source: "default"})
	b.put(modelMsg{id: "offline"})
	b.put(commandsMsg{{Name: "registry", Description: "of the registry", Capsule: "registry"}, {Name: "deploy", Description: "Ship it", Capsule: "shipper"}})
}

func many(n int) []abi.ChatMessage {
	var out []abi.ChatMessage
	for i := range n {
		out = append(out, abi.TextMessage(abi.RoleUser, fmt.Sprintf("question %d", i)), abi.TextMessage(abi.RoleAssistant, fmt.Sprintf("answer %d", i)))
	}
	return out
}

// frame is the screen as text, with the cursor's place.
func (b *bench) frame() string {
	v := b.View()
	lines := strings.Split(ansi.Strip(v.Content), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	at := "none"
	if v.Cursor != nil {
		at = fmt.Sprintf("%d,%d", v.Cursor.X, v.Cursor.Y)
	}
	return strings.Join(lines, "\n") + "\n== cursor " + at + "\n"
}

func TestFrames(t *testing.T) {
	for name, state := range states {
		for _, s := range sizes {
			t.Run(fmt.Sprintf("%s-%dx%d", name, s[0], s[1]), func(t *testing.T) {
				b := newBench(t, s[0], s[1])
				state(b)
				checkFrame(t, b)
				golden.RequireEqual(t, []byte(b.frame()))
			})
		}
	}
}

func TestFrameInColour(t *testing.T) {
	b := newBench(t, 80, 24)
	states["history"](b)
	golden.RequireEqual(t, []byte(b.View().Content))
}

func TestFrameInASCII(t *testing.T) {
	b := newBench(t, 80, 24)
	b.theme = newTheme(true, "")
	b.put(connectedMsg{session: testSession, pid: 1, history: []abi.ChatMessage{abi.TextMessage(abi.RoleUser, "日本"), abi.TextMessage(abi.RoleAssistant, sampleAnswer)}})
	for _, r := range b.frame() {
		if r > 0x7e {
			t.Fatalf("%q is not ASCII", r)
		}
	}
	golden.RequireEqual(t, []byte(b.frame()))
}

// checkFrame checks what holds for every frame: it fills the screen and nothing sticks out.
func checkFrame(t *testing.T, b *bench) {
	t.Helper()
	v := b.View()
	lines := strings.Split(v.Content, "\n")
	if len(lines) != b.height {
		t.Errorf("%d lines on a screen of %d", len(lines), b.height)
	}
	for i, l := range lines {
		if w := ansi.StringWidth(l); w > b.width {
			t.Errorf("line %d is %d cells wide on a screen of %d: %q", i, w, b.width, l)
		}
		if rest := onlyStyles(l); rest != l {
			t.Errorf("line %d has control sequences: %q", i, l)
		}
	}
	if c := v.Cursor; c != nil && (c.X < 0 || c.X >= b.width || c.Y < 0 || c.Y >= b.height) {
		t.Errorf("the cursor is at %d,%d", c.X, c.Y)
	}
}

// Every state must fit every size, also the silly ones.
func TestFramesFit(t *testing.T) {
	for name, state := range states {
		b := newBench(t, 80, 24)
		state(b)
		for _, w := range []int{20, 21, 33, 40, 61, 80, 120, 300} {
			for _, h := range []int{6, 7, 10, 13, 24, 40, 100} {
				b.put(tea.WindowSizeMsg{Width: w, Height: h})
				t.Run(fmt.Sprintf("%s-%dx%d", name, w, h), func(t *testing.T) { checkFrame(t, b) })
			}
		}
	}
}

// Themes differ in their styles and in nothing else.
func TestThemes(t *testing.T) {
	plain := ""
	seen := make(map[string]string)
	for _, name := range ThemeNames {
		b := newBench(t, 80, 24)
		states["tools"](b)
		b.keys("/theme "+name, "enter")
		f := b.frame()
		if plain == "" {
			plain = f
		}
		if f != plain {
			t.Errorf("%s:\n%s", name, f)
		}
		seen[b.View().Content] += " " + name
	}
	if len(seen) != 4 { // auto is dark as long as the terminal says nothing
		t.Errorf("%d looks: %q", len(seen), slices.Collect(maps.Values(seen)))
	}
	b := newBench(t, 80, 24)
	b.put(tea.BackgroundColorMsg{Color: color.White})
	if b.theme.dark {
		t.Error("a light background is not followed")
	}
}
