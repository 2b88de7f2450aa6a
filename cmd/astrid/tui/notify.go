package tui

import (
	"time"

	tea "charm.land/bubbletea/v2"
)

// longTurn is how long a turn must have lasted for its end to be worth a sign, when nobody
// knows whether the person is looking.
const longTurn = 10 * time.Second

// focus is whether the terminal has the person's attention, as far as it says.
type focus uint8

const (
	focusUnknown focus = iota
	focused
	away
)

// notify tells a person who looks elsewhere: with the bell, and with the message that many
// terminals show on the desktop. text is ours, not a model's.
func (m *Model) notify(text string) {
	if m.Quiet || m.focus == focused {
		return
	}
	m.do(tea.Raw("\a\x1b]9;Astrid: " + text + "\x1b\\"))
}

// turnEnded tells of the end of a turn that somebody may be waiting for.
func (m *Model) turnEnded() {
	if m.focus == away || m.Now().Sub(m.began) >= longTurn {
		m.notify("the turn has ended")
	}
}
