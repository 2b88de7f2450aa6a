package tui

import (
	"encoding/json"
	"fmt"
	"strings"
)

// step is one line of the agent's plan.
type step struct {
	text string
	done bool
	now  bool
}

const (
	maxSteps     = 50
	maxPlanLines = 8
)

// planOf reads a plan from a call's arguments: the list "plan", "todos" or "steps", whose
// items have a text and a status. Any tool that takes such a list keeps a plan.
func planOf(raw json.RawMessage) []step {
	type item struct {
		Step    string `json:"step"`
		Content string `json:"content"`
		Text    string `json:"text"`
		Title   string `json:"title"`
		Status  string `json:"status"`
	}
	var args struct {
		Plan  []item `json:"plan"`
		Todos []item `json:"todos"`
		Steps []item `json:"steps"`
	}
	if json.Unmarshal(raw, &args) != nil {
		return nil
	}
	var out []step
	for _, i := range append(append(args.Plan, args.Todos...), args.Steps...) {
		text := ""
		for _, s := range []string{i.Step, i.Content, i.Text, i.Title} {
			if text == "" {
				text = oneLine(s)
			}
		}
		if text == "" || i.Status == "" || len(out) >= maxSteps {
			continue
		}
		s := step{text: text}
		switch strings.ToLower(i.Status) {
		case "completed", "done", "complete":
			s.done = true
		case "in_progress", "in-progress", "active", "running":
			s.now = true
		}
		out = append(out, s)
	}
	return out
}

// planLines draws the plan above the input: around the step that is being done.
func (m *Model) planLines() []string {
	if len(m.plan) == 0 || m.hidePlan || m.height < 16 {
		return nil
	}
	t := m.theme
	done, at := 0, 0
	for i, s := range m.plan {
		if s.done {
			done++
			at = i + 1
		}
		if s.now {
			at = i
		}
	}
	if done == len(m.plan) && m.turn == "" {
		return nil // nothing of it is left
	}
	out := []string{t.accent.Render(cut(fmt.Sprintf("plan %d of %d (ctrl+t hides it)", done, len(m.plan)), m.width, t.ellipsis))}
	n := min(len(m.plan), maxPlanLines, max(1, m.height/5))
	from := max(0, min(at-n/2, len(m.plan)-n))
	for _, s := range m.plan[from : from+n] {
		sign, style := t.running, t.muted
		switch {
		case s.done:
			sign, style = t.ok, t.good
		case s.now:
			sign, style = t.cursor, t.bold
		}
		out = append(out, style.Render(cut("  "+sign+" "+s.text, m.width, t.ellipsis)))
	}
	return out
}
