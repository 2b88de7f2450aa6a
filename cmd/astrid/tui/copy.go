package tui

import (
	"slices"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"
)

const (
	pageCopy = "copy"
	// maxCopied is how many pieces of the conversation can be chosen from.
	maxCopied = 500
)

// piece is something of the conversation that can be copied by itself.
type piece struct{ what, text string }

// chooseCopy lists the conversation, the newest first.
func (m *Model) chooseCopy() tea.Cmd {
	spec := &pageSpec{
		name: pageCopy, title: "Copy", head: []string{"WHAT", "TEXT"}, empty: "Nothing was said yet.",
		enter: func(m *Model, r row) tea.Cmd {
			m.page = nil
			text, _ := r.value.(string)
			return m.copy(text)
		},
	}
	p := &page{spec: spec, filter: newInput("filter", 200), loaded: true}
	for i, c := range m.pieces() {
		r := row{id: strconv.Itoa(i), cells: []string{c.what, oneLine(strings.TrimSpace(c.text))}, value: c.text}
		for l := range strings.Lines(c.text) {
			r.lines = append(r.lines, line{text: strings.TrimRight(l, "\n")})
		}
		p.rows = append(p.rows, r)
	}
	m.page = p
	return nil
}

// pieces are prompts, whole answers, their code and the output of tools.
func (m *Model) pieces() (out []piece) {
	add := func(what, text string) {
		if strings.TrimSpace(text) != "" {
			out = append(out, piece{what, text})
		}
	}
	var answer strings.Builder
	var code []string
	end := func() {
		for _, c := range slices.Backward(code) {
			add("code", c)
		}
		add("answer", strings.TrimRight(answer.String(), "\n"))
		answer.Reset()
		code = nil
	}
	// From the end: the blocks of an answer are put before each other.
	for _, it := range slices.Backward(m.items) {
		if len(out) >= maxCopied {
			break
		}
		switch it.kind {
		case kindText:
			text := it.text.String()
			if c := lastCode(text); c != "" {
				code = append([]string{c}, code...)
			}
			rest := answer.String()
			answer.Reset()
			answer.WriteString(text + rest)
			if it.first {
				end()
			}
		case kindUser:
			add("prompt", it.text.String())
		case kindTool:
			add(it.tool.name, it.tool.content)
		}
	}
	return out
}
