package tui

import (
	"fmt"
	"slices"
	"sort"
	"strings"
)

// entry is a line of a picker: what is chosen, how it is shown, and what it is.
type entry struct{ name, usage, what string }

// entries lists all commands: built in, the person's own, then of capsules.
func (m *Model) entries() []entry {
	var out []entry
	add := func(e entry) {
		if !slices.ContainsFunc(out, func(o entry) bool { return o.name == e.name }) {
			out = append(out, e)
		}
	}
	for _, b := range builtins {
		add(entry{"/" + b.name, strings.TrimSpace("/" + b.name + " " + b.args), b.what})
	}
	for _, c := range m.custom {
		add(entry{"/" + c.Name, "/" + c.Name, oneLine(c.What) + " (" + c.Origin + ")"})
	}
	for _, c := range m.commands {
		name := "/" + oneLine(strings.TrimPrefix(c.Name, "/"))
		add(entry{name, name, oneLine(c.Description) + " (" + oneLine(c.Capsule) + ")"})
	}
	return out
}

// source is where a picker's entries come from.
type source uint8

const (
	fromCommands source = iota
	fromFiles           // after an @
	fromHistory         // Ctrl+R: what is typed is looked for
)

// picker completes what is being typed: a command, a file, a prompt of before.
type picker struct {
	from    source
	matches []entry
	chosen  int
	closed  bool // by Esc, until the text changes
	text    string
	at      int // where in the text the word begins that is completed
}

const maxPicker = 6

func (p *picker) open() bool {
	return !p.closed && (len(p.matches) > 0 || p.from == fromHistory)
}

func (p *picker) close() { *p = picker{} }

// update finds what the text could become.
func (p *picker) update(m *Model) {
	text := m.input.text
	typed := text != p.text
	if typed {
		from := fromCommands
		if p.from == fromHistory {
			from = fromHistory
		}
		*p = picker{text: text, from: from}
	}
	p.matches = nil
	switch {
	case p.from == fromHistory:
		p.matches = m.history.search(text)
	case strings.HasPrefix(text, "/") && !strings.ContainsAny(text, " \n"):
		p.from, p.at = fromCommands, 0
		p.commands(m, text)
	default:
		if at, word, ok := mention(text, m.input.cursor); ok {
			// Not when the list has come: an empty one would be asked for without end.
			if typed && (word == "" || m.files == nil) {
				m.wantFiles()
			}
			p.from, p.at = fromFiles, at
			p.matches = m.files.find(word)
		}
	}
	p.chosen = min(p.chosen, max(0, len(p.matches)-1))
}

func (p *picker) commands(m *Model, text string) {
	var inside []entry
	for _, e := range m.entries() {
		switch {
		case strings.HasPrefix(e.name, text):
			if e.name == text && p.chosen == 0 { // typed in full: it is what Enter means
				p.chosen = len(p.matches)
			}
			p.matches = append(p.matches, e)
		case len(text) > 2 && strings.Contains(e.name, text[1:]):
			inside = append(inside, e)
		}
	}
	p.matches = append(p.matches, inside...)
}

// mention finds the word with an @ before it that the cursor is at the end of.
func mention(text string, cursor int) (at int, word string, ok bool) {
	at = strings.LastIndexAny(text[:cursor], "@ \n")
	if at < 0 || text[at] != '@' || at > 0 && text[at-1] != ' ' && text[at-1] != '\n' && text[at-1] != '(' {
		return 0, "", false
	}
	return at, text[at+1 : cursor], true
}

// key takes a key while the picker is open.
func (p *picker) key(m *Model, name string) bool {
	if !p.open() {
		return false
	}
	step := 1
	switch name {
	case "up", "ctrl+p":
		step = -1
		if p.from == fromHistory {
			step = 1 // the newest is at the bottom
		}
		p.move(step)
	case "down", "ctrl+n":
		if p.from == fromHistory {
			step = -1
		}
		p.move(step)
	case "ctrl+r":
		if p.from != fromHistory {
			return false
		}
		p.move(1)
	case "esc":
		if p.from == fromHistory {
			m.input.set(m.history.draft)
			p.close()
		}
		p.closed = true
		p.text = m.input.text
	case "tab", "enter":
		return p.take(m, name)
	default:
		return false
	}
	return true
}

func (p *picker) move(by int) {
	if n := len(p.matches); n > 0 {
		p.chosen = (p.chosen + by + n) % n
	}
}

// take puts the chosen entry into the text. It returns false if the key still has to do its
// own work: Enter after a command sends it.
func (p *picker) take(m *Model, name string) bool {
	if len(p.matches) == 0 {
		return true
	}
	e := p.matches[p.chosen]
	switch p.from {
	case fromHistory:
		p.close()
		m.input.set(e.name)
	case fromFiles:
		end := m.input.cursor
		m.input.replace(p.at, end, "@"+e.name+" ")
		p.update(m)
	default:
		if name == "enter" {
			m.input.set(e.name)
			return false
		}
		m.input.set(e.name + " ")
		p.update(m)
	}
	return true
}

// lines draws the picker for a screen of that height.
func (p *picker) lines(m *Model) []string {
	if !p.open() {
		return nil
	}
	t := m.theme
	n := min(len(p.matches), maxPicker, max(1, min(m.height/3, m.height-6)))
	var out []string
	if p.from == fromHistory && m.height > 8 {
		head := fmt.Sprintf(" %d earlier prompts match %s enter takes %s esc back", len(p.matches), t.dot, t.dot)
		out = append(out, t.muted.Render(cut(head, m.width, t.ellipsis)))
	}
	from := max(0, min(p.chosen-n+1, len(p.matches)-n))
	for i := from; i < from+n; i++ {
		e := p.matches[i]
		text := " " + oneLine(e.usage)
		if e.what != "" {
			text = fmt.Sprintf(" %-14s %s", e.usage, e.what)
		}
		line := cut(text, m.width, t.ellipsis)
		if i == p.chosen {
			line = t.selected.Render(pad(line, m.width))
		}
		out = append(out, line)
	}
	if p.from == fromHistory {
		slices.Reverse(out)
	}
	return out
}

// fileList is what @ completes: paths relative to the workspace.
type fileList []string

// maxMatches is how many matches a picker has.
const maxMatches = 50

// find ranks paths: those whose name begins with the word, that have it in their name, that
// have it anywhere, that have its letters in order. Shorter ones come first.
func (f fileList) find(word string) []entry {
	type match struct {
		path string
		rank int
	}
	var found []match
	low := strings.ToLower(word)
	for _, path := range f {
		lower := strings.ToLower(path)
		name := lower[strings.LastIndexByte(strings.TrimSuffix(lower, "/"), '/')+1:]
		switch {
		case strings.HasPrefix(name, low):
			found = append(found, match{path, 0})
		case strings.HasPrefix(lower, low):
			found = append(found, match{path, 1})
		case strings.Contains(name, low):
			found = append(found, match{path, 2})
		case strings.Contains(lower, low):
			found = append(found, match{path, 3})
		case scattered(lower, low):
			found = append(found, match{path, 4})
		}
	}
	sort.SliceStable(found, func(i, j int) bool {
		a, b := found[i], found[j]
		if a.rank != b.rank {
			return a.rank < b.rank
		}
		return len(a.path) < len(b.path)
	})
	var out []entry
	for _, m := range found[:min(len(found), maxMatches)] {
		out = append(out, entry{name: m.path, usage: m.path})
	}
	return out
}

// scattered tells whether the letters of word are in s, in order.
func scattered(s, word string) bool {
	for _, r := range word {
		i := strings.IndexRune(s, r)
		if i < 0 {
			return false
		}
		s = s[i+len(string(r)):]
	}
	return true
}
