package tui

import (
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
)

const (
	hintShort = 3 * time.Second
	hintLong  = 8 * time.Second
	// quitWindow is how quickly the second Ctrl+C must follow the first.
	quitWindow = 2 * time.Second
	wheelLines = 3
)

// key takes one key press.
func (m *Model) key(k tea.KeyPressMsg) tea.Cmd {
	name := k.Keystroke()
	if name == "ctrl+c" {
		return m.interrupt()
	}
	m.armed = time.Time{}
	switch name {
	case "ctrl+z":
		return tea.Suspend
	case "ctrl+l":
		return tea.ClearScreen
	}
	if m.dialog.open() {
		m.dialog.key(m, k)
		return nil
	}
	if m.form.open() {
		m.form.key(m, k)
		return nil
	}
	if m.page != nil {
		return m.page.key(m, k)
	}
	if m.scrollKey(name) || m.picker.key(m, name) {
		return nil
	}
	return m.editKey(k, name)
}

// interrupt is Ctrl+C: the first clears the input, the second leaves.
func (m *Model) interrupt() tea.Cmd {
	now := m.Now()
	if !m.armed.IsZero() && now.Sub(m.armed) <= quitWindow {
		return tea.Quit
	}
	m.armed = now
	if !m.dialog.open() && !m.form.open() && m.page == nil && !m.input.empty() {
		m.input.clear()
		m.picker.update(m)
	}
	text := "ctrl+c again quits"
	if m.turn != "" {
		text = "esc cancels the turn " + m.theme.dot + " ctrl+c again quits"
	}
	m.say(text, quitWindow)
	return nil
}

// scrollKey moves the conversation.
func (m *Model) scrollKey(name string) bool {
	page := max(1, m.timeline.height-1)
	switch name {
	case "pgup":
		m.timeline.scroll(m.pen(), -page)
	case "pgdown":
		m.timeline.scroll(m.pen(), page)
	case "shift+up":
		m.timeline.scroll(m.pen(), -1)
	case "shift+down":
		m.timeline.scroll(m.pen(), 1)
	case "ctrl+home":
		m.timeline.home()
	case "ctrl+end":
		m.timeline.end()
	case "home", "end":
		if !m.input.empty() {
			return false
		}
		if name == "home" {
			m.timeline.home()
		} else {
			m.timeline.end()
		}
	case "ctrl+o":
		m.unfold = !m.unfold
	case "ctrl+t":
		m.hidePlan = !m.hidePlan
	default:
		return false
	}
	return true
}

func (m *Model) wheel(w tea.MouseWheelMsg) {
	by := wheelLines
	switch w.Button {
	case tea.MouseWheelUp:
		by = -by
	case tea.MouseWheelDown:
	default:
		return
	}
	if m.page != nil {
		m.page.wheel(m, by)
		return
	}
	m.timeline.scroll(m.pen(), by)
}

// editKey is everything that goes to the input.
func (m *Model) editKey(k tea.KeyPressMsg, name string) tea.Cmd {
	switch name {
	case "esc":
		m.cancelTurn()
		return nil
	case "ctrl+d":
		if m.input.empty() {
			return tea.Quit
		}
	case "enter":
		if in := &m.input; in.cursor == len(in.text) && strings.HasSuffix(in.text, "\\") {
			in.set(strings.TrimSuffix(in.text, "\\") + "\n")
			return nil
		}
		return m.submit()
	case "shift+enter", "alt+enter", "ctrl+j":
		m.input.save(false)
		m.input.insert("\n")
		return nil
	case "ctrl+s":
		return m.steer()
	case "ctrl+r":
		m.history.draft = m.input.text
		m.picker = picker{from: fromHistory, text: m.input.text}
		m.picker.update(m)
		return nil
	case "ctrl+g":
		return m.editOutside()
	case "up":
		if m.input.atTop() {
			m.earlier()
			return nil
		}
	case "down":
		if m.input.atBottom() {
			if s, ok := m.history.down(); ok {
				m.input.set(s)
			}
			return nil
		}
	}
	m.input.typed(k)
	m.picker.update(m)
	return nil
}

// cancelTurn is Esc: it ends the running turn, else takes back the next prompt.
func (m *Model) cancelTurn() {
	turn := m.turn
	if turn == "" && len(m.prompts) > 0 {
		turn = m.prompts[0].turn
	}
	if turn == "" {
		return
	}
	if m.conn != online {
		m.say("there is no connection to the daemon", hintShort)
		return
	}
	m.stopping = true
	m.Port.Cancel(turn)
}

// earlier is Up in the first row: the prompt that waits last comes back to be changed, else
// one from the history.
func (m *Model) earlier() {
	if n := len(m.prompts); n > 0 && m.input.empty() && m.turn != "" && m.conn == online {
		p := m.prompts[n-1]
		m.unqueue(p.turn)
		m.Port.Cancel(p.turn)
		m.input.set(p.text)
		return
	}
	if s, ok := m.history.up(m.input.text); ok {
		m.input.set(s)
	}
}

// submit sends what was typed, or carries out a command.
func (m *Model) submit() tea.Cmd {
	text := strings.TrimSpace(m.input.whole())
	if text == "" {
		return nil
	}
	m.input.clear()
	m.picker.close()
	save := m.remember(text)
	switch {
	case strings.HasPrefix(text, "/") && !strings.Contains(text, "\n"):
		return tea.Batch(save, m.command(text))
	case commandOf(text) != "":
		// The agent's tool runs it: through the same gate, recorded the same way.
		turn := m.NewID()
		m.enqueue(turn, text, false)
		m.Port.Run(turn, text, commandOf(text))
		return save
	}
	return tea.Batch(save, m.ask(text, false))
}

// commandOf is the command line of a prompt that is one; "" is none.
func commandOf(text string) string {
	command, ok := strings.CutPrefix(text, "!")
	if !ok {
		return ""
	}
	return strings.TrimSpace(command)
}

// ask sends a prompt. steer has it taken into the running turn.
func (m *Model) ask(text string, steer bool) tea.Cmd {
	turn := m.NewID()
	m.enqueue(turn, text, steer)
	m.Port.Prompt(turn, text, m.Model, steer)
	return nil
}

// steer is Ctrl+S: what was typed, or else the prompt that waits next, goes to the agent
// while it works instead of after that.
func (m *Model) steer() tea.Cmd {
	if m.turn == "" {
		return m.submit()
	}
	text := strings.TrimSpace(m.input.whole())
	if text == "" && len(m.prompts) > 0 && m.conn == online {
		p := m.prompts[0]
		if p.steer || commandOf(p.text) != "" {
			return nil
		}
		m.unqueue(p.turn)
		m.Port.Cancel(p.turn)
		return m.ask(p.text, true)
	}
	switch {
	case text == "" || strings.HasPrefix(text, "/"):
		return nil
	case commandOf(text) != "":
		return m.submit()
	}
	m.input.clear()
	m.picker.close()
	return tea.Batch(m.remember(text), m.ask(text, true))
}

// remember keeps a prompt in the history.
func (m *Model) remember(text string) tea.Cmd {
	if !m.history.push(text) || m.SaveHistory == nil {
		return nil
	}
	return func() tea.Msg {
		if err := m.SaveHistory(text); err != nil {
			return historyMsg{err: err}
		}
		return nil
	}
}
