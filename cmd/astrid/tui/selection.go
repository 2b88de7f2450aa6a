package tui

import (
	"context"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/client"
)

// selectionMsg is a list that a capsule wants the person to choose from.
type selectionMsg abi.SelectionRequired

const (
	pageSelection = "selection"
	// maxOptions is how many choices are shown.
	maxOptions = 1000
)

// offer shows a capsule's list. It does not come between a person and what they type or read:
// keys that are on their way would choose something.
func (m *Model) offer(s selectionMsg) {
	title := oneLine(s.Title)
	switch {
	case s.RequestID == "" || len(s.Options) == 0:
		m.problem("a capsule offers nothing to choose: " + title)
		return
	case m.page != nil || !m.input.empty() || m.dialog.open() || m.form.open():
		m.notice("a capsule asks to choose (" + title + "), which would have been in the way: give its command again")
		return
	}
	spec := &pageSpec{
		name: pageSelection, title: title, head: []string{"CHOICE", "WHAT"},
		enter: func(m *Model, r row) tea.Cmd {
			m.page = nil
			m.Port.Select(s.CallbackTopic, s.RequestID, r.id)
			return nil
		},
	}
	p := &page{spec: spec, filter: newInput("filter", 200), loaded: true}
	for i, o := range s.Options {
		if i == maxOptions {
			break
		}
		label := o.Label
		if label == "" {
			label = o.ID
		}
		p.rows = append(p.rows, row{id: o.ID, cells: []string{oneLine(label), oneLine(o.Description)}, lines: facts("choice", label, "what", o.Description)})
	}
	m.page = p
	m.notify("a capsule asks to choose")
}

// Select sends a choice to the capsule that asked for it, on the topic that it named.
func (l *link) Select(topic, request, id string) {
	l.add(job{what: "the choice was not taken", do: func(ctx context.Context, c *client.Conn) error {
		return c.Publish(ctx, topic, l.currentSession(), "", map[string]string{"request_id": request, "selected_id": id})
	}})
}

// selectionOf reads a list to choose from; nil if the message is none.
func selectionOf(topic string, payload []byte) tea.Msg {
	msg := as[abi.SelectionRequired](topic, payload)
	s, ok := msg.(abi.SelectionRequired)
	if !ok || !strings.HasPrefix(s.CallbackTopic, "registry.v1.selection.") {
		return nil // clients may answer on no other topic
	}
	return selectionMsg(s)
}
