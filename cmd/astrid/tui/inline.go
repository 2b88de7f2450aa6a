package tui

import (
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
)

// Inline mode: what is finished goes to the terminal's own scrollback, once; only what still
// changes is drawn, below it. Pages take the whole screen while they are open.

// maxReplayed is how many items of a session's history are printed when it is opened.
const maxReplayed = 40

// uncovered is how long the terminal has to return from a page to its scrollback.
const uncovered = 100 * time.Millisecond

// onPage tells whether a page has the screen. What is on its way to the scrollback comes first.
func (m *Model) onPage() bool { return m.page != nil && !(m.Inline && m.printing) }

// printedMsg: the scrollback has taken what was sent.
type printedMsg struct{}

// settledItem tells whether an item changes no more.
func (it *item) settledItem() bool {
	return !it.open && (it.kind != kindTool || it.tool.done || it.tool.cut)
}

// flush sends what is finished to the scrollback. One piece at a time: two commands under way
// might come in the wrong order.
func (m *Model) flush() tea.Cmd {
	if !m.Inline || m.width < minWidth || m.printing {
		return nil
	}
	if m.page != nil {
		m.covered = true
		return nil // the scrollback is not on the screen
	}
	if m.covered { // not before the terminal shows it again
		m.covered, m.printing = false, true
		return tea.Tick(uncovered, func(time.Time) tea.Msg { return printedMsg{} })
	}
	var out []string
	for i, it := range m.items {
		if it.printed {
			continue
		}
		if !it.settledItem() {
			break
		}
		out = append(out, m.timeline.lines(m.pen(), i)...)
		it.printed = true
	}
	if len(out) == 0 {
		return nil
	}
	text := strings.Join(out, "\n")
	if m.theme.ascii {
		text = asciiOnly(text)
	}
	m.printing = true
	return tea.Sequence(tea.Println(text), func() tea.Msg { return printedMsg{} })
}

// replay marks what is too old to be printed again.
func (m *Model) replay() {
	if n := len(m.items) - maxReplayed; m.Inline && n > 0 {
		for _, it := range m.items[:n] {
			it.printed = true
		}
	}
}

// live is what is drawn above the input: everything not yet in the scrollback, the end of it
// if there is more than fits.
func (m *Model) live(height int) []string {
	var out []string
	for i := range m.timeline.len() {
		if !m.timeline.at(i).printed {
			out = append(out, m.timeline.lines(m.pen(), i)...)
		}
	}
	return out[max(0, len(out)-height):]
}
