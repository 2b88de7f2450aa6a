package tui

import (
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
)

// wide is from how many columns on a list and the details of its row stand side by side.
const wide = 100

// page is a screen over the conversation: a list, the details of the chosen row, and what can
// be done with it. Everything that is one of a kind is in its spec.
type page struct {
	spec    *pageSpec
	rows    []row
	head    []string // about all of it
	loaded  bool
	problem string // why there is nothing
	note    string // what an action has done
	failed  bool   // the note is bad news

	filter    input
	filtering bool // keys go to the filter
	chosen    int  // of the rows that pass
	top       int
	inside    bool // the details are read: keys scroll them
	off       int
	details   map[string][]line
	armed     string // the action that waits to be confirmed
}

// row is one line of a list. Its texts are printable.
type row struct {
	id    string
	cells []string
	tone  tone
	lines []line // the details, if they are known already
	value any
}

// line is one line of details.
type line struct {
	text string
	tone tone
}

// tone is how a line is told apart besides by its words.
type tone uint8

const (
	plain tone = iota
	muted
	good
	bad
	warn
	strong
	diffLine // coloured by its first character
)

// pageSpec says what a page is about. Functions that are nil have nothing to do.
type pageSpec struct {
	name  string // of the command, and of requests to the link
	title string
	head  []string // of the columns
	empty string   // said when there is nothing
	// take turns an answer of the link into rows.
	take func(m *Model, p *page, data any)
	// detail turns an answer about one row into lines. Without it a row brings its own.
	detail  func(m *Model, r row, data any) []line
	actions []action
	// enter is what Enter does with a row instead of showing details.
	enter func(m *Model, r row) tea.Cmd
}

// action is something to do with the chosen row.
type action struct {
	key, label string
	confirm    string // asked before; "" is no question
	all        bool   // about everything; no row needs to be chosen
	run        func(m *Model, r row) tea.Cmd
}

// open shows a page and asks for what is on it.
func (m *Model) open(spec *pageSpec) tea.Cmd {
	m.page = &page{spec: spec, filter: newInput("filter", 200)}
	m.Port.Fetch(spec.name, "")
	return nil
}

// fetched takes an answer of the link.
func (m *Model) fetched(msg fetchedMsg) {
	p := m.page
	if p == nil || p.spec.name != msg.page {
		return
	}
	switch {
	case msg.err != nil && msg.key == "":
		p.problem, p.loaded = printable(msg.err.Error()), true
	case msg.err != nil:
		p.keep(msg.key, []line{{printable(msg.err.Error()), bad}})
	case msg.key != "":
		for _, r := range p.rows {
			if r.id == msg.key {
				p.keep(r.id, p.spec.detail(m, r, msg.data))
			}
		}
	default:
		id := ""
		if r, ok := p.row(); ok {
			id = r.id
		}
		p.rows, p.head, p.problem, p.loaded, p.details = nil, nil, "", true, nil
		p.spec.take(m, p, msg.data)
		p.chosen = max(0, slices.IndexFunc(p.shown(), func(r row) bool { return r.id == id }))
		p.want(m)
	}
}

func (p *page) keep(id string, lines []line) {
	if p.details == nil {
		p.details = make(map[string][]line)
	}
	p.details[id] = lines
}

// acted takes the outcome of an action.
func (m *Model) acted(msg actedMsg) {
	p := m.page
	text := printable(msg.text)
	if msg.err != nil {
		text = printable(msg.err.Error())
	}
	if p == nil || p.spec.name != msg.page {
		if msg.err != nil {
			m.problem(text)
		} else {
			m.notice(text)
		}
		return
	}
	p.note, p.failed = text, msg.err != nil
	m.Port.Fetch(p.spec.name, "")
}

// shown lists the rows that pass the filter.
func (p *page) shown() []row {
	if p.filter.empty() {
		return p.rows
	}
	words := strings.Fields(strings.ToLower(p.filter.text))
	var out []row
	for _, r := range p.rows {
		text := strings.ToLower(r.id + " " + strings.Join(r.cells, " "))
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) }) {
			out = append(out, r)
		}
	}
	return out
}

func (p *page) row() (row, bool) {
	rows := p.shown()
	if p.chosen < 0 || p.chosen >= len(rows) {
		return row{}, false
	}
	return rows[p.chosen], true
}

// want asks for the details of the chosen row, if they are on the screen and not there yet.
func (p *page) want(m *Model) {
	r, ok := p.row()
	if !ok || p.spec.detail == nil || r.lines != nil || p.details[r.id] != nil || !p.inside && m.width < wide {
		return
	}
	p.keep(r.id, []line{{"loading", muted}})
	m.Port.Fetch(p.spec.name, r.id)
}

func (p *page) text(r row) []line {
	if r.lines != nil {
		return r.lines
	}
	return p.details[r.id]
}

// key takes a key while the page is open.
func (p *page) key(m *Model, k tea.KeyPressMsg) tea.Cmd {
	name := k.Keystroke()
	armed := p.armed
	p.armed = ""
	if p.filtering {
		p.filterKey(m, k, name)
		return nil
	}
	if p.moveKey(m, name) {
		return nil
	}
	switch name {
	case "esc", "q", "left", "h":
		switch {
		case p.inside:
			p.inside, p.off = false, 0
		case !p.filter.empty() && name == "esc":
			p.refilter(m, "")
		case name != "left" && name != "h":
			m.page = nil
		}
		return nil
	case "/":
		p.filtering, p.inside = true, false
		return nil
	case "r":
		if !p.taken("r") {
			p.note = ""
			m.Port.Fetch(p.spec.name, "")
			return nil
		}
	case "enter", "right", "l":
		r, ok := p.row()
		switch {
		case !ok:
		case name == "enter" && p.spec.enter != nil:
			return p.spec.enter(m, r)
		case p.spec.detail != nil || r.lines != nil:
			p.inside = true
			p.want(m)
		}
		return nil
	}
	for _, a := range p.spec.actions {
		if a.key != name {
			continue
		}
		r, ok := p.row()
		if !ok && !a.all {
			return nil
		}
		if a.confirm != "" && armed != name {
			p.armed, p.note, p.failed = name, a.confirm+" Press "+name+" again.", true
			return nil
		}
		p.note = ""
		return a.run(m, r)
	}
	return nil
}

func (p *page) taken(key string) bool {
	return slices.ContainsFunc(p.spec.actions, func(a action) bool { return a.key == key })
}

// moveKey moves the choice, or the text of the details.
func (p *page) moveKey(m *Model, name string) bool {
	by, step := 0, max(1, m.height-6)
	switch name {
	case "up", "k", "ctrl+p":
		by = -1
	case "down", "j", "ctrl+n":
		by = 1
	case "pgup":
		by = -step
	case "pgdown", "space":
		by = step
	case "home", "g":
		by = -1 << 30
	case "end", "G", "shift+g":
		by = 1 << 30
	default:
		return false
	}
	if p.inside {
		p.off = max(0, min(p.off+by, 1<<20)) // drawing holds it to the text
		return true
	}
	p.chosen = max(0, min(p.chosen+by, len(p.shown())-1))
	p.off = 0
	p.want(m)
	return true
}

func (p *page) filterKey(m *Model, k tea.KeyPressMsg, name string) {
	switch name {
	case "enter", "down", "tab":
		p.filtering = false
	case "esc":
		p.filtering = false
		p.refilter(m, "")
	default:
		before := p.filter.text
		if p.filter.typed(k); p.filter.text != before {
			p.refilter(m, p.filter.text)
		}
	}
}

func (p *page) refilter(m *Model, text string) {
	if text == "" {
		p.filter.set("")
	}
	p.chosen, p.top, p.off = 0, 0, 0
	p.want(m)
}

func (p *page) wheel(m *Model, by int) {
	if p.inside {
		p.off = max(0, p.off+by)
		return
	}
	p.chosen = max(0, min(p.chosen+by/wheelLines, len(p.shown())-1))
	p.want(m)
}
