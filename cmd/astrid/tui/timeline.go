package tui

import (
	"time"

	"charm.land/lipgloss/v2"
)

// timeline is the conversation and the part of it that is on the screen. Positions are an
// item and a line of it, so that nothing outside the window is ever rendered.
type timeline struct {
	items  []*item
	queued []*item // prompts that wait; always below the rest

	follow   bool // the window ends with the newest line
	top, off int  // else its first line
	unseen   bool // something came while the window was elsewhere

	width, height int
	unfold        bool
}

func newTimeline() timeline { return timeline{follow: true} }

func (t *timeline) add(it *item) *item {
	t.items = append(t.items, it)
	t.unseen = !t.follow
	return it
}

func (t *timeline) len() int { return len(t.items) + len(t.queued) }

func (t *timeline) at(i int) *item {
	if i < len(t.items) {
		return t.items[i]
	}
	return t.queued[i-len(t.items)]
}

// pen is what rendering an item takes besides the item.
type pen struct {
	theme *theme
	now   time.Time
	frame int
}

// lines returns the lines of item i, with the empty line that sets it apart.
func (t *timeline) lines(p pen, i int) []string {
	it := t.at(i)
	lines := it.render(p.theme, t.width, t.unfold, p.now, p.frame)
	if i == 0 || len(lines) == 0 || it.kind == kindTool && t.at(i-1).kind == kindTool {
		return lines
	}
	return append([]string{""}, lines...)
}

// window returns exactly height lines.
func (t *timeline) window(p pen) []string {
	if t.follow {
		t.top, t.off = t.bottom(p)
	}
	out := make([]string, 0, t.height)
	off := t.off
	for i := t.top; i < t.len() && len(out) < t.height; i++ {
		lines := t.lines(p, i)
		if off < len(lines) {
			out = append(out, lines[off:]...)
		}
		off = 0
	}
	if len(out) > t.height {
		out = out[:t.height]
	}
	for len(out) < t.height {
		out = append(out, "")
	}
	return out
}

// bottom is the position from which the window ends with the newest line.
func (t *timeline) bottom(p pen) (top, off int) {
	need := t.height
	for i := t.len() - 1; i >= 0; i-- {
		n := len(t.lines(p, i))
		if n >= need {
			return i, n - need
		}
		need -= n
	}
	return 0, 0
}

// scroll moves the window by n lines, negative is up.
func (t *timeline) scroll(p pen, n int) {
	bottomTop, bottomOff := t.bottom(p)
	if t.follow {
		t.top, t.off = bottomTop, bottomOff
	}
	t.top = min(t.top, max(0, t.len()-1))
	t.follow = false
	t.off += n
	for t.off < 0 && t.top > 0 {
		t.top--
		t.off += len(t.lines(p, t.top))
	}
	t.off = max(t.off, 0)
	for t.top < t.len() && t.off >= len(t.lines(p, t.top)) {
		if t.top == t.len()-1 {
			break
		}
		t.off -= len(t.lines(p, t.top))
		t.top++
	}
	if t.top > bottomTop || t.top == bottomTop && t.off >= bottomOff {
		t.end()
	}
}

func (t *timeline) home() { t.top, t.off, t.follow = 0, 0, false }

func (t *timeline) end() { t.follow, t.unseen = true, false }

// touched tells that an item changed that is below the window.
func (t *timeline) touched() { t.unseen = t.unseen || !t.follow }

// styled gives every line a style.
func styled(lines []string, s lipgloss.Style) []string {
	for i, l := range lines {
		if l != "" {
			lines[i] = s.Render(l)
		}
	}
	return lines
}
