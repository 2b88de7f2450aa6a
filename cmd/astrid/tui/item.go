package tui

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
)

// kind says what an item of the conversation is.
type kind uint8

const (
	kindUser      kind = iota // what the person said
	kindQueued                // the same, not yet begun
	kindText                  // a block of an answer: a paragraph, a list, a fenced piece of code
	kindReasoning             // what the model thought
	kindTool
	kindNotice // this program speaks
	kindError
	kindSteer // what the person said for the running turn, not yet taken in
)

// item is one piece of the conversation. Its text is printable.
type item struct {
	kind    kind
	text    strings.Builder
	first   bool // of the blocks of an answer: it has the bullet
	open    bool // text still arrives
	tool    *toolCard
	printed bool // it is in the terminal's scrollback, in inline mode

	cached  cacheKey
	lines   []string
	settled int // bytes of the text whose lines are in lines, while it is open
}

// cacheKey says what lines were made for.
type cacheKey struct {
	width, rev int
	unfold     bool
	open       bool
	size       int
}

func newItem(k kind, text string) *item {
	it := &item{kind: k}
	it.text.WriteString(text)
	return it
}

// toolCard is a call of a tool.
type toolCard struct {
	id, name, args string
	began          time.Time
	done, failed   bool
	refused        bool // by the gate
	cut            bool // the turn ended before there was a result
	known          bool // the duration is known
	took           time.Duration
	content        string
	change         *change // what an editing call does; nil is another call
}

func newCard(call abi.ToolCall, began time.Time) *toolCard {
	c := &toolCard{id: call.ID, name: oneLine(call.Name), args: arguments(call.Arguments), began: began, change: changeOf(call.Arguments)}
	if c.change != nil {
		c.args = c.change.summary()
	}
	return c
}

// maxFoldedEdit is how many lines of a change are shown when it is folded.
const maxFoldedEdit = 8

// maxOutput is how many lines of a tool's output are shown when it is unfolded.
const maxOutput = 2000

// render returns the item's lines for a width.
func (it *item) render(t *theme, width int, unfold bool, now time.Time, frame int) []string {
	running := it.kind == kindTool && !it.tool.done && !it.tool.cut
	key := cacheKey{width: width, rev: t.rev, unfold: unfold, open: it.open, size: it.text.Len()}
	if it.lines != nil && it.cached == key && !running {
		return it.lines
	}
	switch {
	case it.kind == kindText && it.open:
		it.grow(t, key)
		return append(it.lines[:len(it.lines):len(it.lines)], it.rest(t, width)...)
	case it.kind == kindText:
		it.lines = it.renderText(t, width)
	case it.kind == kindTool:
		it.lines = it.tool.render(t, width, unfold, now, frame)
	case it.kind == kindReasoning:
		it.lines = it.renderReasoning(t, width, unfold)
	case it.kind == kindUser:
		it.lines = styled(indent(wrap(it.text.String(), width-2), t.glyphs.user+" "), t.user)
	case it.kind == kindQueued:
		it.lines = styled(indent(wrap(it.text.String()+"  (queued)", width-2), t.glyphs.user+" "), t.muted)
	case it.kind == kindSteer:
		it.lines = styled(indent(wrap(it.text.String()+"  (with its next step)", width-2), t.glyphs.user+" "), t.accent)
	case it.kind == kindError:
		it.lines = styled(indent(wrap(it.text.String(), width-2), t.failed+" "), t.bad)
	default:
		it.lines = styled(indent(wrap(it.text.String(), width-2), t.dot+" "), t.muted)
	}
	it.cached = key
	return it.lines
}

// changed drops the lines of an item whose state, rather than text, has changed.
func (it *item) changed() { it.lines = nil }

func (it *item) bullet(t *theme) string {
	if it.first {
		return t.accent.Render(t.answer) + " "
	}
	return "  "
}

func (it *item) renderText(t *theme, width int) []string {
	text := it.text.String()
	lines, ok := t.markdown(text, width-2)
	if !ok {
		lines = wrap(strings.TrimRight(text, "\n"), width-2)
	}
	return indent(lines, it.bullet(t))
}

// grow wraps the complete lines that came since the last time. A token costs the line it
// is on, however long the text is.
func (it *item) grow(t *theme, key cacheKey) {
	if it.cached.width != key.width || it.cached.rev != key.rev || !it.cached.open {
		it.lines, it.settled = nil, 0
	}
	it.cached = key
	text := it.text.String()
	end := strings.LastIndexByte(text, '\n') + 1
	if end <= it.settled {
		return
	}
	it.add(t, wrap(text[it.settled:end-1], key.width-2))
	it.settled = end
}

func (it *item) add(t *theme, lines []string) {
	for _, l := range lines {
		first := "  "
		if len(it.lines) == 0 {
			first = it.bullet(t)
		}
		it.lines = append(it.lines, first+l)
	}
}

// rest is the unfinished last line.
func (it *item) rest(t *theme, width int) []string {
	text := it.text.String()[it.settled:]
	if text == "" {
		return nil
	}
	first := "  "
	if len(it.lines) == 0 {
		first = it.bullet(t)
	}
	return indent(wrap(text, width-2), first)
}

func (it *item) renderReasoning(t *theme, width int, unfold bool) []string {
	text := strings.TrimSpace(it.text.String())
	head := t.fold + " thought"
	if it.open {
		head = t.fold + " thinking"
	}
	if !unfold {
		return []string{t.muted.Render(cut(fmt.Sprintf("%s (%d lines, ctrl+o)", head, strings.Count(text, "\n")+1), width, t.ellipsis))}
	}
	lines := []string{t.muted.Render(head)}
	for _, l := range wrap(text, width-4) {
		lines = append(lines, t.muted.Render("  "+t.bar+" "+l))
	}
	return lines
}

func (c *toolCard) render(t *theme, width int, unfold bool, now time.Time, frame int) []string {
	mark, took := t.good.Render(t.ok), ""
	switch {
	case c.cut:
		mark, took = t.warn.Render(t.failed), "stopped"
	case !c.done:
		mark, took = t.accent.Render(t.spinner[frame%len(t.spinner)]), duration(now.Sub(c.began))
	case c.failed:
		mark = t.bad.Render(t.failed)
	}
	if c.done && c.known {
		took = duration(c.took)
	}
	switch {
	case c.refused:
		took = "denied" // the time is that of the question
	case c.failed:
		took = strings.TrimSpace("failed " + took)
	}
	room := width - 2 - cells(took) - 2
	head := cut(c.name+" "+c.args, room, t.ellipsis)
	name, args, _ := strings.Cut(head, " ")
	line := mark + " " + t.bold.Render(name)
	if args != "" {
		line += " " + t.muted.Render(args)
	}
	if took != "" {
		line += "  " + t.muted.Render(took)
	}
	lines := []string{line}
	edit := c.edit(t, width-4)
	show := len(edit)
	if !unfold && show > maxFoldedEdit+1 {
		show = maxFoldedEdit
	}
	for _, l := range edit[:show] {
		lines = append(lines, "  "+t.muted.Render(t.bar)+" "+l)
	}
	if show < len(edit) {
		lines = append(lines, t.muted.Render(cut(fmt.Sprintf("  %s %s %d more lines (ctrl+o)", t.bar, t.ellipsis, len(edit)-show), width, t.ellipsis)))
	}
	if c.change != nil && c.done && !c.failed && !unfold {
		return lines // the result only says that it was done
	}
	if unfold {
		return append(lines, c.unfolded(t, width)...)
	}
	return append(lines, c.folded(t, width)...)
}

// folded shows the beginning of the output, one row for each line.
func (c *toolCard) folded(t *theme, width int) []string {
	all := outputLines(c.content)
	show := 3
	if c.failed {
		show = 6
	}
	style := t.muted
	var out []string
	for i, l := range all {
		if i == show && len(all) > show+1 {
			out = append(out, style.Render(cut(fmt.Sprintf("  %s %s %d more lines (ctrl+o)", t.bar, t.ellipsis, len(all)-show), width, t.ellipsis)))
			break
		}
		out = append(out, style.Render("  "+t.bar+" "+cut(l, width-4, t.ellipsis)))
	}
	return out
}

func (c *toolCard) unfolded(t *theme, width int) []string {
	all := outputLines(c.content)
	left := 0
	if len(all) > maxOutput {
		left, all = len(all)-maxOutput, all[:maxOutput]
	}
	var out []string
	for _, l := range all {
		for _, w := range wrap(l, width-4) {
			out = append(out, t.muted.Render("  "+t.bar+" "+w))
		}
	}
	if left > 0 {
		out = append(out, t.muted.Render(fmt.Sprintf("  %s %s %d more lines", t.bar, t.ellipsis, left)))
	}
	return out
}

func outputLines(content string) []string {
	content = strings.TrimRight(content, "\n")
	if content == "" {
		return nil
	}
	return strings.Split(content, "\n")
}

// finish puts a result on the card. A result that is a JSON text is shown as text.
func (c *toolCard) finish(r *abi.ToolCallResult) {
	var s string
	content := r.Content
	if json.Unmarshal([]byte(content), &s) == nil {
		content = s
	}
	c.done, c.failed, c.refused, c.content = true, r.IsError, r.Refused(), printable(content)
}

// arguments are a call's arguments in one line: the value if there is one, else name=value.
func arguments(raw json.RawMessage) string {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return oneLine(string(raw))
	}
	var names, values []string
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return oneLine(string(raw))
		}
		var v json.RawMessage
		if dec.Decode(&v) != nil {
			return oneLine(string(raw))
		}
		var s string
		if json.Unmarshal(v, &s) != nil {
			s = string(v)
		}
		names, values = append(names, oneLine(fmt.Sprint(name))), append(values, oneLine(s))
	}
	if len(names) == 1 {
		return values[0]
	}
	parts := make([]string, len(names))
	for i := range names {
		parts[i] = names[i] + "=" + values[i]
	}
	return strings.Join(parts, " ")
}

// duration is short: 12 ms, 3.4 s, 2m05s.
func duration(d time.Duration) string {
	switch {
	case d < 0:
		return "0 s"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d >= time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
}

// wholeSeconds is a duration that changes once a second.
func wholeSeconds(d time.Duration) string {
	s := max(0, int(d.Seconds()))
	if s < 60 {
		return fmt.Sprintf("%ds", s)
	}
	return fmt.Sprintf("%dm%02ds", s/60, s%60)
}
