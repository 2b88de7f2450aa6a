package tui

import (
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/unicity-astrid/astrid-go/abi"
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
		{"model", "[ID]", "choose the model that answers", (*Model).chooseModel},
		{"mode", "[MODE]", "what needs no question in this session", (*Model).chooseMode},
		{"new", "", "begin a new session", (*Model).newSession},
		{"copy", "[WHAT]", "copy the last answer, its last code, or from a list: code, list", (*Model).copyAnswer},
		{"theme", "NAME", "auto, dark, light, contrast or mono", (*Model).setTheme},
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
	for _, c := range m.custom {
		if c.Name == name {
			return m.ask(c.expand(arg), false)
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
Ctrl+S           send into the running turn, at its next step
Ctrl+J           a new line; also Shift+Enter, or a backslash before Enter
Up, Down         earlier prompts of this directory; Up takes back one that waits
Ctrl+R           search them
@                a file of the workspace
!                a command, run by the agent's tool behind the gate
Ctrl+G           write in $VISUAL or $EDITOR
Ctrl+_, Ctrl+Y   undo; put back what Ctrl+K, Ctrl+U, Ctrl+W took
Esc              cancel the turn
PgUp, PgDn       scroll; Home and End when nothing is typed; the mouse wheel
Ctrl+O, Ctrl+T   fold tool output and reasoning; hide the plan
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

// chooseModel is about this conversation; which model is active for others stays.
func (m *Model) chooseModel(id string) tea.Cmd {
	m.finding = id
	if id == "" {
		return m.open(modelPage)
	}
	m.Port.Fetch(pageModel, "")
	return nil
}

// foundModels goes on with what chooseModel began.
func (m *Model) foundModels(list []abi.ProviderDescription) {
	if m.finding == "" {
		return
	}
	if p := abi.FindModel(list, m.finding); p != nil {
		m.useModel(p.ID, p.ContextWindow)
	} else {
		m.problem("no model is called " + printable(m.finding) + "; /model lists them")
	}
	m.finding = ""
	m.timeline.end()
}

// useModel has a model answer from the next prompt on.
func (m *Model) useModel(id string, context uint64) {
	m.Model, m.modelID, m.context = id, oneLine(id), context
	m.notice(m.modelID + " answers in this chat from now on; /model, then d, makes it the default")
}

// chooseMode bounds this session. The configuration is changed on the page.
func (m *Model) chooseMode(name string) tea.Cmd {
	if name == "" {
		return m.open(modePage)
	}
	for _, mode := range modes {
		if mode.name == name {
			m.Port.Act(pageMode, "session", name)
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
	m.Model, m.modelID, m.context = "", oneLine(msg.id), msg.context
	m.notice("the default model is now " + m.modelID)
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

func (m *Model) copyAnswer(what string) tea.Cmd {
	text := m.answer
	switch {
	case what == "code":
		text = lastCode(m.answer)
	case what == "list":
		return m.chooseCopy()
	case what != "":
		m.problem("/copy takes nothing, or: code, list")
		return nil
	}
	if text == "" {
		m.problem("there is nothing to copy")
		return nil
	}
	return m.copy(text)
}

// copy has the terminal put text on the clipboard: it works over SSH, too.
func (m *Model) copy(text string) tea.Cmd {
	m.say("copied "+byteCount(int64(len(text))), hintShort)
	return tea.SetClipboard(text)
}

// lastCode is the last fenced piece of code in an answer.
func lastCode(text string) string {
	var code, cur []string
	fence := ""
	for _, l := range strings.Split(text, "\n") {
		mark := fenceMark(strings.TrimLeft(l, " "))
		switch {
		case fence == "" && mark != "":
			fence, cur = mark, []string{}
		case fence != "" && strings.HasPrefix(mark, fence):
			fence, code = "", cur
		case fence != "":
			cur = append(cur, l)
		}
	}
	return strings.Join(code, "\n")
}

func (m *Model) setTheme(name string) tea.Cmd {
	if !slices.Contains(ThemeNames, name) {
		m.problem("/theme takes one of " + strings.Join(ThemeNames, ", "))
		return nil
	}
	m.Theme = name
	m.theme.choose(name)
	return nil
}
