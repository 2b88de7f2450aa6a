package tui

import (
	"fmt"
	"strings"

	"charm.land/lipgloss/v2"
)

// maxHead is how many lines about the whole a page shows above its list.
const maxHead = 8

// draw makes exactly height lines.
func (p *page) draw(m *Model, height int) []string {
	t := m.theme
	out := []string{p.titleLine(m)}
	foot := p.foot(m)
	room := max(1, height-1-len(foot))
	split := m.width >= wide && p.hasDetail()
	r, ok := p.row()
	switch {
	case !p.loaded:
		out = append(out, t.muted.Render("loading"))
	case p.problem != "":
		out = append(out, styled(indent(wrap(p.problem, m.width-2), t.failed+" "), t.bad)...)
	case p.inside && !split && ok:
		out = append(out, p.detailLines(m, r, m.width, room)...)
	case split:
		left := m.width * 2 / 5
		if len(p.spec.head) >= 5 {
			left = m.width * 3 / 5
		}
		list, text := p.listLines(m, left, room), []string{}
		if ok {
			text = p.detailLines(m, r, m.width-left-3, room)
		}
		for i := range room {
			a, b := "", ""
			if i < len(list) {
				a = list[i]
			}
			if i < len(text) {
				b = text[i]
			}
			out = append(out, pad(a, left)+" "+t.muted.Render(t.bar)+" "+b)
		}
	default:
		out = append(out, p.listLines(m, m.width, room)...)
	}
	for len(out) < height-len(foot) {
		out = append(out, "")
	}
	return append(out[:height-len(foot)], foot...)
}

func (p *page) hasDetail() bool {
	if p.spec.detail != nil {
		return true
	}
	r, ok := p.row()
	return ok && r.lines != nil
}

func (p *page) titleLine(m *Model) string {
	t := m.theme
	text := fmt.Sprintf("%s%s %s", t.rule, t.rule, p.spec.title)
	if p.loaded && p.problem == "" && len(p.rows) > 0 {
		text += fmt.Sprintf(" %s %d", t.dot, len(p.rows))
		if n := len(p.shown()); n != len(p.rows) {
			text = fmt.Sprintf("%s %s %d of %d", t.rule+t.rule+" "+p.spec.title, t.dot, n, len(p.rows))
		}
	}
	text = cut(text+" ", m.width, t.ellipsis)
	return t.accent.Render(text + strings.Repeat(t.rule, max(0, m.width-cells(text))))
}

// listLines draws what is said about the whole, and the window of the list around the choice.
func (p *page) listLines(m *Model, width, height int) []string {
	t := m.theme
	var out []string
	for i, h := range p.head {
		if i >= maxHead || len(out) >= height-3 {
			break
		}
		out = append(out, cut(h, width, t.ellipsis))
	}
	rows := p.shown()
	if len(rows) == 0 {
		text := p.spec.empty
		if len(p.rows) > 0 {
			text = "nothing matches the filter"
		}
		for _, l := range wrap(text, width) {
			out = append(out, t.muted.Render(l))
		}
		return out
	}
	columns := p.columns(rows, width-2)
	if len(p.spec.head) > 0 && height-len(out) > 4 {
		out = append(out, t.muted.Render("  "+formatRow(p.spec.head, columns, width-2, t.ellipsis)))
	}
	n := max(1, height-len(out))
	p.top = max(0, min(p.top, p.chosen, len(rows)-n))
	if p.chosen >= p.top+n {
		p.top = p.chosen - n + 1
	}
	for i := p.top; i < min(len(rows), p.top+n); i++ {
		text := formatRow(rows[i].cells, columns, width-2, t.ellipsis)
		if i == p.chosen {
			out = append(out, t.selected.Render(pad(t.cursor+" "+text, width)))
		} else {
			out = append(out, "  "+t.tone(rows[i].tone).Render(text))
		}
	}
	return out
}

// columns works out how wide the columns are: as wide as what is in them, the last one
// takes the rest.
func (p *page) columns(rows []row, width int) []int {
	n := len(rows[0].cells)
	out := make([]int, n)
	for i := range n {
		if i < len(p.spec.head) {
			out[i] = cells(p.spec.head[i])
		}
	}
	for _, r := range rows {
		for i, c := range r.cells[:min(n, len(r.cells))] {
			out[i] = max(out[i], cells(c))
		}
	}
	most := max(6, width/2)
	for i := range out[:max(0, n-1)] {
		out[i] = min(out[i], most)
	}
	return out
}

func formatRow(texts []string, columns []int, width int, ellipsis string) string {
	var b strings.Builder
	for i, c := range texts {
		if i >= len(columns) {
			break
		}
		if i == len(texts)-1 {
			b.WriteString(c)
			break
		}
		b.WriteString(pad(cut(c, columns[i], ellipsis), columns[i]) + "  ")
	}
	return cut(strings.TrimRight(b.String(), " "), width, ellipsis)
}

// detailLines draws the window of the details.
func (p *page) detailLines(m *Model, r row, width, height int) []string {
	t := m.theme
	var all []string
	for _, l := range p.text(r) {
		if l.tone == diffLine {
			all = append(all, paintDiff(t, []string{l.text}, width)...)
			continue
		}
		for _, w := range wrap(l.text, width) {
			all = append(all, t.tone(l.tone).Render(w))
		}
	}
	p.off = max(0, min(p.off, len(all)-height))
	end := min(len(all), p.off+height)
	out := append([]string{}, all[p.off:end]...)
	if end < len(all) && len(out) > 0 {
		out[len(out)-1] = t.warn.Render(cut(fmt.Sprintf("%s %d more lines", t.more, len(all)-end+1), width, t.ellipsis))
	}
	return out
}

// foot is what an action said, or the filter, and the keys.
func (p *page) foot(m *Model) []string {
	t := m.theme
	var out []string
	switch {
	case p.filtering:
		p.filter.fit(m.width, 1)
		lines, _, _ := p.filter.lines(t)
		out = append(out, lines[0])
	case p.note != "":
		style := t.good
		if p.failed {
			style = t.warn
		}
		out = append(out, style.Render(cut(oneLine(p.note), m.width, t.ellipsis)))
	case !p.filter.empty():
		out = append(out, t.muted.Render(cut("filter: "+oneLine(p.filter.text)+" (esc drops it)", m.width, t.ellipsis)))
	}
	var hints []string
	if p.inside {
		hints = append(hints, "esc back")
	}
	for _, a := range p.spec.actions {
		hints = append(hints, a.key+" "+a.label)
	}
	if !p.inside {
		switch {
		case p.spec.enter != nil:
			hints = append(hints, "enter choose")
		case p.hasDetail():
			hints = append(hints, "enter details")
		}
		hints = append(hints, "/ filter", "esc close")
	}
	return append(out, t.muted.Render(cut(strings.Join(hints, " "+t.dot+" "), m.width, t.ellipsis)))
}

func (t *theme) tone(n tone) lipgloss.Style {
	switch n {
	case muted:
		return t.muted
	case good:
		return t.good
	case bad:
		return t.bad
	case warn:
		return t.warn
	case strong:
		return t.bold
	}
	return lipgloss.NewStyle()
}
