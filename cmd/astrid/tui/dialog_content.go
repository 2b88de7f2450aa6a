package tui

import (
	"fmt"
	"slices"
	"strings"
)

// maxPreview is how many lines of the running call's edit a dialog shows.
const maxPreview = 12

// content is what is asked and the choices, and where the chosen one begins and ends.
func (d *dialog) content(m *Model) (lines []string, chosen [2]int) {
	if d.batch != nil {
		lines = d.all(m)
	} else {
		lines = d.one(m)
	}
	t := m.theme
	lines = append(lines, "")
	for _, c := range d.choices() {
		begin := len(lines)
		sign, style := " ", t.bold
		if c.decision == d.chosen {
			sign, style = t.cursor, t.selected
		}
		text := c.word
		if d.batch != nil {
			text = c.each
		}
		lines = append(lines, fmt.Sprintf("%s %s", sign, style.Render(cut(c.key+" "+text, m.width-2, t.ellipsis))))
		if c.grants != "" {
			for _, l := range wrap(printable(c.grants), m.width-4) {
				lines = append(lines, "    "+t.muted.Render(l))
			}
		}
		if c.decision == d.chosen {
			chosen = [2]int{begin, len(lines)}
		}
	}
	return lines, chosen
}

// one describes the first question.
func (d *dialog) one(m *Model) (lines []string) {
	a, t := d.queue[0], m.theme
	add := func(label, text string) {
		if text = strings.TrimRight(printable(text), "\n"); text != "" {
			lines = append(lines, indent(wrap(text, m.width-11), t.muted.Render(pad(label, 10))+" ")...)
		}
	}
	add("capsule", a.Capsule)
	add("action", a.Action)
	add("resource", a.Resource)
	if a.Size > 0 {
		add("size", byteCount(a.Size))
	}
	add("reason", a.Reason)
	rule := a.Rule
	if a.Source != "" {
		rule = strings.TrimSpace(rule + " (" + a.Source + ")")
	}
	add("rule", rule)
	if a.CostUSD > 0 {
		add("cost", fmt.Sprintf("up to $%.4f%s", a.CostUSD, m.budgetLeft()))
	}
	if a.Session != "" && a.Session != m.Session {
		add("session", a.Session+" (another one)")
	}
	// What the model and the capsule say comes last, on lines of its own: it must not pass
	// for what the gate has found out.
	lines = append(lines, d.calls(m, a)...)
	add("it says", cut(oneLine(a.Detail), maxDetail, t.ellipsis))
	return lines
}

// calls shows the model's calls that run: one of them is what the question comes from.
func (d *dialog) calls(m *Model, a ask) (lines []string) {
	if a.Session != m.Session {
		return nil
	}
	t := m.theme
	for _, it := range m.running() {
		c := it.tool
		lines = append(lines, indent(wrap(cut(c.name+" "+c.args, maxDetail, t.ellipsis), m.width-11), t.muted.Render(pad("for call", 10))+" ")...)
		edit := c.edit(t, m.width-4)
		for i, l := range edit {
			if i == maxPreview && len(edit) > maxPreview+1 {
				lines = append(lines, t.muted.Render(fmt.Sprintf("  %s %s %d more lines", t.bar, t.ellipsis, len(edit)-maxPreview)))
				break
			}
			lines = append(lines, "  "+t.muted.Render(t.bar)+" "+l)
		}
	}
	return lines
}

// all lists the questions that are answered together.
func (d *dialog) all(m *Model) (lines []string) {
	t := m.theme
	for _, a := range d.queue {
		if !slices.Contains(d.batch, a.RequestID) {
			continue
		}
		head := oneLine(a.Capsule)
		if a.RiskLevel != "" {
			head += " " + t.dot + " risk " + oneLine(a.RiskLevel)
		}
		if a.RiskLevel == riskCritical {
			head += " (cannot be allowed along with others)"
		}
		lines = append(lines, t.muted.Render(cut(head, m.width, t.ellipsis)))
		for _, l := range wrap(oneLine(a.Action), m.width-2) {
			lines = append(lines, "  "+l)
		}
		for _, l := range wrap(oneLine(a.Resource), m.width-2) {
			lines = append(lines, "  "+t.muted.Render(l))
		}
	}
	return lines
}

// budgetLeft says what the session's limit leaves.
func (m *Model) budgetLeft() string {
	if m.budget.MaxUSD <= 0 {
		return ""
	}
	return fmt.Sprintf("; $%.4f of this session's $%.2f are left", max(0, m.budget.MaxUSD-m.budget.SpentUSD-m.budget.ReservedUSD), m.budget.MaxUSD)
}

// byteCount writes a size for people.
func byteCount(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d bytes", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}
