package tui

import (
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
)

// builtin is a slash command that this program carries out.
type builtin struct {
	name, args, what string
	run              func(m *Model, arg string) tea.Cmd
}

var builtins []builtin

// The list refers to functions that use it.
func init() {
	builtins = []builtin{
		{"help", "", "keys and commands", (*Model).showHelp},
		{"diff", "", "what the session changed: look, commit, discard", opens(diffPage)},
		{"approvals", "", "what waits for your decision", opens(approvalsPage)},
		{"audit", "", "the signed log of what was decided", func(m *Model, _ string) tea.Cmd { return m.open(auditPage) }},
		{"why", "[ID]", "explain a decision", (*Model).whyCommand},
		{"caps", "", "what needs no question; revoke it", opens(capsPage)},
		{"budget", "", "limits and what is spent", opens(budgetPage)},
		{"capsules", "", "what runs: state, time, memory", opens(capsulesPage)},
		{"sessions", "", "look at sessions and go on with one", opens(sessionsPage)},
		{"model", "[ID]", "choose the model", (*Model).chooseModel},
		{"mode", "[MODE]", "what needs no question", (*Model).chooseMode},
		{"new", "", "begin a new session", (*Model).newSession},
		{"copy", "", "copy the last answer to the clipboard", (*Model).copyAnswer},
		{"quit", "", "leave; the session stays", func(*Model, string) tea.Cmd { return tea.Quit }},
	}
}

// command carries out a line that begins with a slash.
func (m *Model) command(line string) tea.Cmd {
	name, arg, _ := strings.Cut(strings.TrimPrefix(line, "/"), " ")
	arg = strings.TrimSpace(arg)
	for _, b := range builtins {
		if b.name == name {
			if b.args == "" && arg != "" {
				m.problem(fmt.Sprintf("/%s takes no arguments", b.name))
				return nil
			}
			return b.run(m, arg)
		}
	}
	for _, c := range m.commands {
		if strings.TrimPrefix(c.Name, "/") == name {
			m.notice(printable(line))
			m.Port.Command(line)
			m.timeline.end()
			return nil
		}
	}
	m.problem(fmt.Sprintf("there is no command /%s; /help lists them", printable(name)))
	m.timeline.end()
	return nil
}

func (m *Model) showHelp(string) tea.Cmd {
	var b strings.Builder
	for _, e := range m.entries() {
		fmt.Fprintf(&b, "%-16s %s\n", e.usage, e.what)
	}
	b.WriteString(`
Enter            send; while the agent works, the prompt waits its turn
Ctrl+J           a new line; also Shift+Enter, or a backslash before Enter
Up, Down         earlier prompts
Esc              cancel the turn
PgUp, PgDn       scroll; Home and End when nothing is typed; the mouse wheel
Ctrl+O           fold or unfold tool output and reasoning
Ctrl+L           draw the screen again
Ctrl+C twice     quit; also Ctrl+D when nothing is typed
Shift+drag       select text with the mouse`)
	m.notice(b.String())
	m.timeline.end()
	return nil
}

func opens(spec *pageSpec) func(*Model, string) tea.Cmd {
	return func(m *Model, _ string) tea.Cmd { return m.open(spec) }
}

func (m *Model) whyCommand(id string) tea.Cmd { return m.why(id) }

func (m *Model) chooseModel(id string) tea.Cmd {
	if id != "" {
		m.Port.SetModel(id)
		return nil
	}
	return m.open(modelPage)
}

func (m *Model) chooseMode(name string) tea.Cmd {
	if name == "" {
		return m.open(modePage)
	}
	for _, mode := range modes {
		if mode.name == name {
			m.Port.Act(pageMode, "set", name)
			return nil
		}
	}
	m.problem(printable(name) + " is none of safe, guided, autonomous, yolo")
	return nil
}

func (m *Model) modelSet(msg modelSetMsg) {
	if msg.problem != "" {
		m.problem(printable(msg.problem))
		return
	}
	m.modelID = oneLine(msg.id)
	m.notice("the model is now " + m.modelID)
}

func (m *Model) newSession(string) tea.Cmd {
	if m.busy() {
		m.problem("the agent still works; Esc cancels the turn, then /new begins a new session")
		return nil
	}
	m.leave(m.NewID(), "")
	m.notice("new session " + m.Session)
	m.Port.Switch(m.Session)
	return nil
}

func (m *Model) copyAnswer(string) tea.Cmd {
	if m.answer == "" {
		m.problem("there is no answer to copy")
		return nil
	}
	m.say("copied the last answer", hintShort)
	return tea.SetClipboard(m.answer)
}

// entry is a line of the completion.
type entry struct{ name, usage, what string }

// entries lists all commands: built in, then of capsules.
func (m *Model) entries() []entry {
	var out []entry
	for _, b := range builtins {
		out = append(out, entry{"/" + b.name, strings.TrimSpace("/" + b.name + " " + b.args), b.what})
	}
	for _, c := range m.commands {
		name := "/" + oneLine(strings.TrimPrefix(c.Name, "/"))
		if slices.ContainsFunc(out, func(e entry) bool { return e.name == name }) {
			continue
		}
		out = append(out, entry{name, name, oneLine(c.Description) + " (" + oneLine(c.Capsule) + ")"})
	}
	return out
}

// palette completes a command while its name is being typed.
type palette struct {
	matches []entry
	chosen  int
	closed  bool // by Esc, until the text changes
	text    string
}

const maxPalette = 6

func (p *palette) open() bool { return len(p.matches) > 0 && !p.closed }

func (p *palette) close() { *p = palette{} }

// update finds what the text could become.
func (p *palette) update(m *Model) {
	text := m.input.text
	if text != p.text {
		*p = palette{text: text}
	}
	p.matches = nil
	if !strings.HasPrefix(text, "/") || strings.ContainsAny(text, " \n") {
		return
	}
	for _, e := range m.entries() {
		if !strings.HasPrefix(e.name, text) {
			continue
		}
		if e.name == text && p.chosen == 0 { // typed in full: it is what Enter means
			p.chosen = len(p.matches)
		}
		p.matches = append(p.matches, e)
	}
	p.chosen = min(p.chosen, max(0, len(p.matches)-1))
}

// key takes a key while the palette is open.
func (p *palette) key(m *Model, name string) bool {
	if !p.open() {
		return false
	}
	switch name {
	case "up":
		p.chosen = (p.chosen + len(p.matches) - 1) % len(p.matches)
	case "down":
		p.chosen = (p.chosen + 1) % len(p.matches)
	case "tab":
		m.input.set(p.matches[p.chosen].name + " ")
		p.update(m)
	case "esc":
		p.closed = true
	case "enter":
		m.input.set(p.matches[p.chosen].name)
		return false // and it is submitted
	default:
		return false
	}
	return true
}

// lines draws the palette for a screen of that height.
func (p *palette) lines(m *Model) []string {
	if !p.open() {
		return nil
	}
	n := min(len(p.matches), maxPalette, max(1, min(m.height/3, m.height-5)))
	from := max(0, min(p.chosen-n+1, len(p.matches)-n))
	var out []string
	for i := from; i < from+n; i++ {
		e := p.matches[i]
		line := cut(fmt.Sprintf(" %-14s %s", e.usage, e.what), m.width, m.theme.ellipsis)
		if i == p.chosen {
			line = m.theme.selected.Render(pad(line, m.width))
		}
		out = append(out, line)
	}
	return out
}
