package tui

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/unicity-astrid/astrid-go/abi"
)

// calls is a Port that only notes what it is asked for.
type calls []string

func (c *calls) add(format string, args ...any) { *c = append(*c, fmt.Sprintf(format, args...)) }

func (c *calls) Prompt(turn, text, model string, steer bool) {
	if model != "" {
		text += " by " + model
	}
	if steer {
		c.add("steer %s %q", turn, text)
		return
	}
	c.add("prompt %s %q", turn, text)
}
func (c *calls) Run(turn, text, command string) { c.add("run %s %q as %q", turn, command, text) }
func (c *calls) Cancel(turn string)             { c.add("cancel %s", turn) }
func (c *calls) Answer(id, session, decision, feedback string) {
	c.add("answer %s %s %s %q", id, session, decision, feedback)
}
func (c *calls) Command(text string)              { c.add("command %q", text) }
func (c *calls) Models()                          { c.add("models") }
func (c *calls) SetModel(id string)               { c.add("set model %s", id) }
func (c *calls) Select(topic, request, id string) { c.add("select %s %s %s", topic, request, id) }
func (c *calls) Refresh()                         {}
func (c *calls) Switch(session string)            { c.add("switch %s", session) }
func (c *calls) Resume(session string)            { c.add("resume %s", session) }
func (c *calls) Elicit(r abi.ElicitResponse) {
	if r.Value != nil {
		c.add("elicit %s %q", r.RequestID, *r.Value)
		return
	}
	c.add("elicit %s %q", r.RequestID, r.Values)
}
func (c *calls) Fetch(page, key string)     { c.add("fetch %s %s", page, key) }
func (c *calls) Act(page, verb, key string) { c.add("act %s %s %s", page, verb, key) }

// bench drives a model without a terminal or a daemon.
type bench struct {
	*Model
	t      *testing.T
	calls  *calls
	clock  time.Time
	saved  []string
	quit   bool
	copied string   // to the clipboard, last
	raw    []string // what was written to the terminal beside the screen
}

const testSession = "7a4b9666-0000-4000-8000-000000000000"

func newBench(t *testing.T, w, h int) *bench {
	b := &bench{t: t, calls: &calls{}, clock: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	ids := 0
	b.Model = NewModel(Config{
		Port: b.calls, Now: func() time.Time { return b.clock },
		NewID:   func() string { ids++; return fmt.Sprintf("t%d", ids) },
		Session: testSession, Workspace: "/srv/project",
		SaveHistory: func(s string) error { b.saved = append(b.saved, s); return nil },
	})
	b.put(tea.WindowSizeMsg{Width: w, Height: h})
	return b
}

// newOnline is a bench whose daemon is there, with a history.
func newOnline(t *testing.T, w, h int, history ...abi.ChatMessage) *bench {
	b := newBench(t, w, h)
	b.connect(history...)
	return b
}

// put sends messages and runs the commands that come of them, apart from timers.
func (b *bench) put(msgs ...tea.Msg) {
	b.t.Helper()
	for _, m := range msgs {
		b.run(b.Model.update(m))
		b.run(b.Model.drain())
	}
}

func (b *bench) run(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	switch m := cmd().(type) {
	case nil:
	case tea.BatchMsg:
		for _, c := range m {
			b.run(c)
		}
	case tea.QuitMsg:
		b.quit = true
	case tea.RawMsg:
		b.raw = append(b.raw, fmt.Sprint(m.Msg))
	case historyMsg, filesMsg, editedMsg:
		b.put(m)
	default:
		if fmt.Sprintf("%T", m) == "tea.setClipboardMsg" { // the library keeps the name to itself
			b.copied = fmt.Sprint(m)
		}
	}
}

// keys presses keys: names as Keystroke gives them, anything else is typed.
func (b *bench) keys(names ...string) {
	b.t.Helper()
	for _, n := range names {
		if k, ok := special[n]; ok {
			b.put(k)
			continue
		}
		for _, r := range n {
			b.put(tea.KeyPressMsg{Code: r, Text: string(r)})
		}
	}
}

var special = map[string]tea.KeyPressMsg{
	"enter": {Code: tea.KeyEnter}, "shift+enter": {Code: tea.KeyEnter, Mod: tea.ModShift}, "esc": {Code: tea.KeyEscape},
	"up": {Code: tea.KeyUp}, "down": {Code: tea.KeyDown}, "left": {Code: tea.KeyLeft}, "right": {Code: tea.KeyRight},
	"pgup": {Code: tea.KeyPgUp}, "pgdown": {Code: tea.KeyPgDown}, "home": {Code: tea.KeyHome}, "end": {Code: tea.KeyEnd},
	"tab": {Code: tea.KeyTab}, "backspace": {Code: tea.KeyBackspace}, "delete": {Code: tea.KeyDelete},
	"ctrl+c": {Code: 'c', Mod: tea.ModCtrl}, "ctrl+d": {Code: 'd', Mod: tea.ModCtrl}, "ctrl+j": {Code: 'j', Mod: tea.ModCtrl},
	"ctrl+o": {Code: 'o', Mod: tea.ModCtrl}, "ctrl+u": {Code: 'u', Mod: tea.ModCtrl}, "ctrl+k": {Code: 'k', Mod: tea.ModCtrl},
	"ctrl+w": {Code: 'w', Mod: tea.ModCtrl}, "ctrl+a": {Code: 'a', Mod: tea.ModCtrl}, "ctrl+e": {Code: 'e', Mod: tea.ModCtrl},
	"alt+d": {Code: 'd', Mod: tea.ModAlt}, "alt+b": {Code: 'b', Mod: tea.ModAlt}, "alt+f": {Code: 'f', Mod: tea.ModAlt},
	"ctrl+home": {Code: tea.KeyHome, Mod: tea.ModCtrl}, "ctrl+end": {Code: tea.KeyEnd, Mod: tea.ModCtrl},
	"shift+up": {Code: tea.KeyUp, Mod: tea.ModShift}, "shift+down": {Code: tea.KeyDown, Mod: tea.ModShift},
	"ctrl+r": {Code: 'r', Mod: tea.ModCtrl}, "ctrl+s": {Code: 's', Mod: tea.ModCtrl}, "ctrl+g": {Code: 'g', Mod: tea.ModCtrl}, "ctrl+t": {Code: 't', Mod: tea.ModCtrl},
	"ctrl+y": {Code: 'y', Mod: tea.ModCtrl}, "ctrl+_": {Code: '_', Mod: tea.ModCtrl},
	"alt+enter": {Code: tea.KeyEnter, Mod: tea.ModAlt},
}

// wait lets time pass.
func (b *bench) wait(d time.Duration) {
	b.clock = b.clock.Add(d)
	b.put(tickMsg{})
}

// What the daemon says of turn id.
func started(id string) tea.Msg { return abi.TurnStarted{SessionID: testSession, TurnID: id} }

func delta(id, text string) tea.Msg {
	return abi.TextDelta{SessionID: testSession, TurnID: id, Text: text}
}

func toolStart(id, call, name, args string) tea.Msg {
	return abi.ToolStarted{SessionID: testSession, TurnID: id, ToolCall: abi.ToolCall{ID: call, Name: name, Arguments: json.RawMessage(args)}}
}

func toolEnd(id, call, content string, failed bool) tea.Msg {
	return abi.ToolCompleted{SessionID: testSession, TurnID: id, DurationMs: 12, ToolCallResult: abi.ToolCallResult{CallID: call, Content: content, IsError: failed}}
}

func completed(id, reason string) tea.Msg {
	return abi.TurnCompleted{SessionID: testSession, TurnID: id, StopReason: reason, Model: "offline", Usage: abi.Usage{InputTokens: 1200, OutputTokens: 34}}
}

func final(id, text string) tea.Msg {
	return abi.AgentResponse{SessionID: testSession, TurnID: id, Text: text, IsFinal: true}
}

func question(b *bench, id string) ask {
	return ask{
		ApprovalRequired: abi.ApprovalRequired{RequestID: id, Action: "POST request to api.example.com:443",
			Resource: "net:https://api.example.com:443/v1/issues", Reason: "mode safe asks before network", RiskLevel: "high"},
		Capsule: "shipper", Session: testSession, Kind: "net_request", Detail: "open an issue", Rule: "mode.safe",
		Source: "etc/config.toml:3", CostUSD: 0.02, Deadline: b.clock.Add(60 * time.Second),
		Choices: []offer{
			{"approve", "POST net:https://api.example.com:443/v1/issues"},
			{"approve_session", "net:https://api.example.com:443/**"},
			{"approve_always", "net:https://api.example.com:443/**"},
			{"deny", ""},
		},
	}
}

// patience is how long a test waits for what should happen soon. The machine may be busy.
const patience = 2 * time.Minute
