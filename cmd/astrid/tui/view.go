package tui

import (
	"fmt"
	"os"
	"strings"

	tea "charm.land/bubbletea/v2"
)

const (
	minWidth  = 20
	minHeight = 6
)

// layout shares the screen between its parts.
func (m *Model) layout() {
	if m.width == 0 {
		return
	}
	m.input.fit(m.width, min(maxInputRows, m.height/3))
	m.timeline.width = m.width
	m.timeline.height = max(1, m.height-m.lower())
}

// lower is how many rows are below the conversation.
func (m *Model) lower() int {
	if m.dialog.open() {
		return len(m.dialog.lines(m, m.dialogHeight())) + 1
	}
	if m.form.open() {
		lines, _, _ := m.form.lines(m, m.dialogHeight())
		return len(lines) + 1
	}
	if m.page != nil {
		return 1
	}
	return 1 + len(m.planLines()) + len(m.picker.lines(m)) + m.input.height() + 2
}

// body is what fills the screen: a page, or the conversation.
func (m *Model) body() []string {
	if m.onPage() {
		return m.page.draw(m, m.timeline.height)
	}
	if m.Inline {
		return m.live(m.timeline.height)
	}
	if m.timeline.len() == 0 && m.opened {
		return m.welcome(m.timeline.height)
	}
	return m.window(m.pen())
}

// welcome is what an empty conversation shows.
func (m *Model) welcome(height int) []string {
	t := m.theme
	lines := []string{t.accent.Render("Astrid"), ""}
	for _, mode := range modes {
		if mode.name == m.mode {
			lines = append(lines, wrap("Mode "+mode.name+": the gate "+mode.what+".", m.width)...)
		}
	}
	lines = append(lines, wrap("What the agent writes stays in a copy: /diff shows it, and commits what you want of it.", m.width)...)
	lines = append(lines, "", t.muted.Render(cut("/ commands "+t.dot+" @ files "+t.dot+" ! runs "+t.dot+" ctrl+r history "+t.dot+" /sessions "+t.dot+" /help", m.width, t.ellipsis)))
	out := make([]string, height)
	copy(out[max(0, height-len(lines)):], lines[max(0, len(lines)-height):])
	return out
}

// dialogHeight is how tall a dialog may be: two rows of the conversation stay.
func (m *Model) dialogHeight() int { return max(4, m.height-3) }

// View draws the screen.
func (m *Model) View() tea.View {
	v := tea.View{AltScreen: true, ReportFocus: true, MouseMode: tea.MouseModeCellMotion, WindowTitle: m.title()}
	if m.Inline && !m.onPage() {
		v.AltScreen, v.MouseMode = false, tea.MouseModeNone
	}
	if m.width == 0 {
		return v
	}
	if m.width < minWidth || m.height < minHeight {
		v.SetContent(cut(fmt.Sprintf("make the terminal %dx%d or more", minWidth, minHeight), m.width, ""))
		return v
	}
	m.layout()
	lines := m.body()
	switch {
	case m.dialog.open():
		lines = append(lines, m.dialog.lines(m, m.dialogHeight())...)
		if m.dialog.deny {
			_, x, y := m.dialog.reason.lines(m.theme)
			v.Cursor = tea.NewCursor(x, len(lines)-2+y)
		}
	case m.form.open():
		form, x, y := m.form.lines(m, m.dialogHeight())
		if y >= 0 && !m.form.sending {
			v.Cursor = tea.NewCursor(x, len(lines)+y)
		}
		lines = append(lines, form...)
	case m.page != nil:
		if p := m.page; p.filtering {
			_, x, y := p.filter.lines(m.theme)
			v.Cursor = tea.NewCursor(x, len(lines)-2+y)
		}
	default:
		lines = append(lines, m.planLines()...)
		lines = append(lines, m.activity())
		lines = append(lines, m.picker.lines(m)...)
		lines = append(lines, m.theme.muted.Render(strings.Repeat(m.theme.rule, m.width)))
		in, x, y := m.input.lines(m.theme)
		v.Cursor = tea.NewCursor(x, len(lines)+y)
		lines = append(lines, in...)
	}
	lines = append(lines, m.status())
	content := strings.Join(lines, "\n")
	if m.theme.ascii {
		content = asciiOnly(content)
	}
	v.SetContent(content)
	return v
}

func (m *Model) title() string {
	state := ""
	switch {
	case m.dialog.open():
		state = "approval needed - "
	case m.form.open():
		state = "question - "
	case m.busy():
		state = "working - "
	}
	return state + "astrid " + m.sessionName()
}

func (m *Model) sessionName() string {
	if m.Name != "" {
		return oneLine(m.Name)
	}
	return cut(oneLine(m.Session), 8, "")
}

// activity is the line above the input: what goes on, and what can be done about it.
func (m *Model) activity() string {
	t := m.theme
	var left string
	switch {
	case m.conn == connecting || m.conn == offline:
		left = t.warn.Render(t.spinner[m.frame%len(t.spinner)] + " " + cut(m.connNote, m.width/2, t.ellipsis))
	case m.hint != "":
	case m.stopping:
		left = t.warn.Render(t.spinner[m.frame%len(t.spinner)] + " cancelling")
	case m.turn != "":
		left = t.accent.Render(t.spinner[m.frame%len(t.spinner)]) + t.muted.Render(fmt.Sprintf(" working %s %s esc cancels", wholeSeconds(m.Now().Sub(m.began)), t.dot))
	case len(m.prompts) > 0:
		left = t.accent.Render(t.spinner[m.frame%len(t.spinner)]) + t.muted.Render(" sending")
	}
	if m.hint != "" {
		if left != "" {
			left += "  "
		}
		left += t.warn.Render(m.hint)
	}
	right := ""
	switch {
	case m.unseen:
		right = t.selected.Render(" " + t.more + " new output (ctrl+end) ")
	case !m.follow:
		right = t.muted.Render(t.more + " ctrl+end")
	}
	return spread(left, right, m.width, t.ellipsis)
}

// status is the last line. What does not fit is left out, the least important first.
func (m *Model) status() string {
	t := m.theme
	sep := " " + t.dot + " "
	left := []string{m.sessionName(), tail(shortPath(m.Workspace), 30, t.ellipsis)}
	if m.branch != "" {
		left = append(left, m.branch)
	}
	var right []string
	switch m.conn {
	case connecting:
		right = append(right, "connecting")
	case offline:
		right = append(right, "daemon offline")
	}
	if m.mode != "" {
		right = append(right, m.mode)
	}
	if m.modelID != "" {
		right = append(right, m.modelID)
	}
	if n := m.usage.InputTokens + m.usage.OutputTokens; n > 0 {
		right = append(right, fmt.Sprintf("%s in %s out", count(m.usage.InputTokens), count(m.usage.OutputTokens)))
	}
	if use := m.contextText(); use != "" {
		right = append(right, use)
	}
	if cost := m.costText(); cost != "" {
		right = append(right, cost)
	}
	for {
		l, r := strings.Join(left, sep), strings.Join(right, sep)
		switch {
		case cells(l)+cells(r)+2 <= m.width:
			return t.muted.Render(spread(l, r, m.width, t.ellipsis))
		case len(left) > 1:
			left = left[:len(left)-1]
		case len(right) > 2:
			right = right[:len(right)-1]
		default:
			return t.muted.Render(spread(l, r, m.width, t.ellipsis))
		}
	}
}

// contextText is how much of what the model can take the conversation is, estimated.
func (m *Model) contextText() string {
	if m.context == 0 || m.tokens == 0 {
		return ""
	}
	return fmt.Sprintf("ctx %d%%", min(999, 100*m.tokens/m.context))
}

// costText is what the session has cost, and of what.
func (m *Model) costText() string {
	b := m.budget
	switch {
	case b.MaxUSD > 0 && (b.SpentUSD > 0 || m.width >= wide):
		return fmt.Sprintf("$%.4f of $%.2f", b.SpentUSD, b.MaxUSD)
	case b.SpentUSD > 0:
		return fmt.Sprintf("$%.4f", b.SpentUSD)
	}
	return ""
}

// spread puts one text at each end of a line; the left one gives way.
func spread(left, right string, width int, ellipsis string) string {
	right = cut(right, width, ellipsis)
	left = cut(left, width-cells(right)-1, ellipsis)
	if right == "" {
		return left
	}
	return pad(left, width-cells(right)) + right
}

// tail keeps the end of a path.
func tail(s string, width int, ellipsis string) string {
	if cells(s) <= width {
		return s
	}
	r := []rune(s)
	for len(r) > 0 && cells(string(r)) > width-1 {
		r = r[1:]
	}
	return ellipsis + string(r)
}

// shortPath writes the person's home as ~.
func shortPath(path string) string {
	if dir, err := os.UserHomeDir(); err == nil && dir != "/" {
		if path == dir {
			return "~"
		}
		if rest, ok := strings.CutPrefix(path, dir+"/"); ok {
			path = "~/" + rest
		}
	}
	return oneLine(path)
}

// counted is a number of things.
func counted(n uint64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// count is a number of tokens in a few characters.
func count(n uint64) string {
	switch {
	case n < 1000:
		return fmt.Sprint(n)
	case n < 1_000_000:
		return fmt.Sprintf("%.1fk", float64(n)/1000)
	}
	return fmt.Sprintf("%.1fM", float64(n)/1_000_000)
}
