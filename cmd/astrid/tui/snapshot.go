package tui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/client"
)

// SnapshotOptions say what to do with the screen and how to print it.
type SnapshotOptions struct {
	Width, Height int
	Styled        bool     // with colours and attributes
	Approve       bool     // questions of the gate are approved once, else denied
	Script        []string // see [Snapshot]
}

// Errors of [Snapshot] that a caller tells apart. The frames before them are printed.
var (
	ErrSnapshotTimeout = errors.New("nothing came for 120 s")
	ErrSnapshotScript  = errors.New("the script is wrong")
)

const (
	snapshotPatience = 120 * time.Second
	// settleTime bounds the wait for what an installation may not have, such as a model.
	settleTime = 5 * time.Second
)

// snapshotClock is what the screen takes for the time.
var snapshotClock = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// Snapshot drives the screen by a script and prints frames: "--- event: NAME ---", the rows,
// "--- end ---", an empty line. Frames come by themselves when the screen is ready, when a
// prompt is sent, at calls of tools and their results, at questions of the gate and their
// answers, and when a response is complete. The same conversation gives the same frames: the
// clock stands still, durations are zero and nothing depends on how a text was cut up.
//
// A line of the script is one of
//
//	type TEXT          what a person types
//	paste TEXT         what a person pastes
//	key NAME [N]       a key, N times: enter, esc, up, ctrl+r, …
//	resize WxH         another size of the terminal
//	advance DURATION   the clock moves
//	wait EVENT         until that event was seen: response_complete, approval, page, …
//	frame NAME         a frame
//
// Empty lines and lines that begin with # are left out.
func Snapshot(ctx context.Context, o Options, s SnapshotOptions) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	l := newLink(client.StartOptions{Home: o.Home, Version: o.Version, Workspace: o.Workspace}, o.Session)
	l.astrid, l.mode, l.fresh, l.directory = o.Astrid, o.Mode, o.Mode, o.Directory
	in := make(chan tea.Msg, 1024)
	l.send = func(m tea.Msg) {
		select {
		case in <- m:
		case <-ctx.Done():
		}
	}
	l.abort = func(err error) { cancel(err) }
	n := &snapshot{SnapshotOptions: s, w: o.Output, in: in, now: snapshotClock, seen: make(map[string]int)}
	turns := 0
	n.m = NewModel(Config{
		Port: l, Now: func() time.Time { return n.now }, Session: o.Session, Name: o.Name, Model: o.Model, Workspace: o.Workspace, ASCII: o.ASCII, Theme: o.Theme, Quiet: true,
		NewID:      func() string { turns++; return fmt.Sprintf("%s-%d", o.Session, turns) },
		ListFiles:  func() fileList { return l.files(ctx) },
		LoadCustom: func() ([]Custom, error) { return customCommands(o.Home, o.Workspace) },
		Branch:     func() string { return branch(o.Workspace) },
	})
	if o.Name == "" {
		n.m.Name = "snapshot" // an id would be another one each time
	}
	done := make(chan error, 1)
	go func() {
		defer l.rescue()
		done <- l.run(ctx)
	}()
	err := n.play(ctx, done)
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	cancel(nil)
	return err
}

// snapshot is a screen without a terminal.
type snapshot struct {
	SnapshotOptions
	m    *Model
	w    io.Writer
	in   <-chan tea.Msg
	now  time.Time
	seen map[string]int // events that were not waited for yet
	told map[string]bool
	err  error // of writing
	quit bool
}

func (n *snapshot) play(ctx context.Context, gone <-chan error) error {
	n.told = make(map[string]bool)
	n.put(tea.WindowSizeMsg{Width: n.Width, Height: n.Height})
	n.command(n.m.Init())
	if err := n.until(ctx, gone, func() bool { return n.told["connected"] && n.told["mode"] && n.told["budget"] && n.told["commands"] }, snapshotPatience); err != nil {
		return err
	}
	// A model and commands of the person may be missing: they are not waited for long.
	if err := n.until(ctx, gone, func() bool { return n.told["model"] }, settleTime); err != nil && !errors.Is(err, ErrSnapshotTimeout) {
		return err
	}
	n.frame("ready")
	for i, raw := range n.Script {
		if err := n.step(ctx, gone, strings.TrimSpace(raw)); err != nil {
			return fmt.Errorf("line %d: %w", i+1, err)
		}
		if n.err != nil || n.quit {
			break
		}
	}
	return n.err
}

func (n *snapshot) step(ctx context.Context, gone <-chan error, text string) error {
	if text == "" || text[0] == '#' {
		return nil
	}
	verb, arg, _ := strings.Cut(text, " ")
	switch verb {
	case "type":
		for _, r := range arg {
			n.put(tea.KeyPressMsg{Code: r, Text: string(r)})
		}
	case "paste":
		n.put(tea.PasteMsg{Content: strings.ReplaceAll(arg, `\n`, "\n")})
	case "key":
		name, times, many := strings.Cut(arg, " ")
		count := 1
		if many {
			if _, err := fmt.Sscanf(times, "%d", &count); err != nil || count < 1 || count > 1000 {
				return fmt.Errorf("%w: key %s: %q is no number from 1 to 1000", ErrSnapshotScript, name, times)
			}
		}
		k, err := parseKey(name)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrSnapshotScript, err)
		}
		for range count {
			waiting := len(n.m.prompts)
			n.put(k)
			if len(n.m.prompts) > waiting {
				n.frame("input_sent")
			}
		}
	case "resize":
		var w, h int
		if _, err := fmt.Sscanf(arg, "%dx%d", &w, &h); err != nil || w < 1 || h < 1 || w > 1000 || h > 1000 {
			return fmt.Errorf("%w: resize %s is no WIDTHxHEIGHT", ErrSnapshotScript, arg)
		}
		n.put(tea.WindowSizeMsg{Width: w, Height: h})
	case "advance":
		d, err := time.ParseDuration(arg)
		if err != nil || d < 0 {
			return fmt.Errorf("%w: advance %s is no duration", ErrSnapshotScript, arg)
		}
		n.advance(d)
	case "wait":
		if err := n.until(ctx, gone, func() bool { return n.seen[arg] > 0 }, snapshotPatience); err != nil {
			return err
		}
		n.seen[arg]--
	case "frame":
		n.frame(arg)
	default:
		return fmt.Errorf("%w: %q is none of type, paste, key, resize, advance, wait, frame", ErrSnapshotScript, verb)
	}
	return nil
}

// until takes messages until something holds.
func (n *snapshot) until(ctx context.Context, gone <-chan error, ok func() bool, patience time.Duration) error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case err := <-gone:
			n.frame("error")
			return err
		case <-timer.C:
			if patience == snapshotPatience {
				n.frame("timeout")
			}
			return ErrSnapshotTimeout
		case msg := <-n.in:
			if _, lost := msg.(lostMsg); lost {
				n.put(msg)
				n.frame("disconnected")
				return errOffline
			}
			n.take(msg)
			timer.Reset(patience)
		}
	}
	return nil
}

// take shows one message, and prints the frame that belongs to it.
func (n *snapshot) take(msg tea.Msg) {
	event := ""
	switch m := msg.(type) {
	case connectedMsg:
		n.told["connected"] = true
		m.pid = 1
		msg = m
	case modeMsg:
		n.told["mode"] = true
	case commandsMsg:
		n.told["commands"] = true
	case modelMsg:
		n.told["model"] = true
	case budgetMsg:
		n.put(msg)
		n.told["budget"] = true
		if n.told["answered"] { // the figures of the turn have come: the screen is at rest
			n.told["answered"] = false
			n.seen["response_complete"]++
			n.frame("response_complete")
		}
		return
	case abi.ToolStarted:
		event = "tool_call:" + oneLine(m.Name)
	case abi.ToolCompleted:
		m.DurationMs = 0
		msg, event = m, "tool_result:"+oneLine(m.CallID)+":ok"
		if m.IsError {
			event = strings.TrimSuffix(event, "ok") + "failed"
		}
	case abi.AgentResponse:
		if m.IsFinal && m.SessionID == n.m.Session {
			n.told["answered"] = true
			defer n.m.Port.Refresh() // its figures are what is waited for
		}
	case fetchedMsg, providersMsg:
		n.seen["page"]++
	case actedMsg:
		n.seen["acted"]++
	case ask:
		if m.Queued {
			return
		}
		m.Deadline = time.Time{}
		n.put(m)
		n.seen["approval"]++
		n.frame("approval:" + oneLine(m.Action))
		n.decide()
		return
	}
	n.put(msg)
	if event != "" {
		n.frame(event)
	}
}

// decide answers the question that is on the screen.
func (n *snapshot) decide() {
	keys, event := []string{"0", "enter", "enter"}, "approval_denied"
	if n.Approve {
		keys, event = []string{"1", "enter"}, "approval_approved"
	}
	n.advance(quiet)
	for _, name := range keys {
		if k, err := parseKey(name); err == nil { // each is a key
			n.put(k)
		}
	}
	n.frame(event)
}

func (n *snapshot) advance(d time.Duration) {
	n.now = n.now.Add(d)
	n.put(tickMsg{})
}

func (n *snapshot) put(msg tea.Msg) {
	n.command(n.m.update(msg))
	n.command(n.m.drain())
}

// command runs what the screen wants done at once: nothing of it takes long.
func (n *snapshot) command(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	switch m := cmd().(type) {
	case tea.BatchMsg:
		for _, c := range m {
			n.command(c)
		}
	case filesMsg, branchMsg, customMsg, historyMsg:
		n.put(m)
	case tea.QuitMsg:
		n.quit = true
	}
}

func (n *snapshot) frame(name string) {
	var b strings.Builder
	fmt.Fprintf(&b, "--- event: %s ---\n", oneLine(name))
	lines := strings.Split(n.m.View().Content, "\n")
	for i := range n.m.height {
		text := ""
		if i < len(lines) {
			text = strings.TrimRight(ansi.Strip(lines[i]), " ")
			if n.Styled && text != "" {
				text = trimPadding(lines[i]) + "\x1b[0m"
			}
		}
		b.WriteString(text + "\n")
	}
	b.WriteString("--- end ---\n\n")
	if _, err := io.WriteString(n.w, b.String()); err != nil && n.err == nil {
		n.err = fmt.Errorf("standard output: %w", err)
	}
}

// parseKey makes the key of a name as [tea.Key.Keystroke] writes it.
func parseKey(name string) (tea.KeyPressMsg, error) {
	var k tea.KeyPressMsg
	rest := name
	for _, mod := range []struct {
		name string
		mod  tea.KeyMod
	}{{"ctrl+", tea.ModCtrl}, {"alt+", tea.ModAlt}, {"shift+", tea.ModShift}} {
		if after, ok := strings.CutPrefix(rest, mod.name); ok && after != "" {
			rest, k.Mod = after, k.Mod|mod.mod
		}
	}
	named := map[string]rune{"enter": tea.KeyEnter, "esc": tea.KeyEscape, "up": tea.KeyUp, "down": tea.KeyDown, "left": tea.KeyLeft, "right": tea.KeyRight,
		"pgup": tea.KeyPgUp, "pgdown": tea.KeyPgDown, "home": tea.KeyHome, "end": tea.KeyEnd, "tab": tea.KeyTab, "backspace": tea.KeyBackspace, "delete": tea.KeyDelete, "space": tea.KeySpace}
	if code, ok := named[rest]; ok {
		k.Code = code
		return k, nil
	}
	if r := []rune(rest); len(r) == 1 {
		k.Code = r[0]
		if k.Mod == 0 {
			k.Text = rest
		}
		return k, nil
	}
	return k, fmt.Errorf("%q is no key", name)
}
