package tui

import (
	"strings"
	"unicode"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// editor is a text of several lines with a cursor, wrapped at words. The cursor is between
// grapheme clusters: an emoji of several code points is one step.
type editor struct {
	text   string
	cursor int // byte offset
	width  int // cells of a row
	column int // that Up and Down try to keep; -1 is unset
	killed string
	undo   []version

	cache     []span
	cacheText string
	cacheSize int
}

// version is a text to go back to.
type version struct {
	text   string
	cursor int
}

// maxUndo is how many versions are kept.
const maxUndo = 100

// save keeps the text as it is, before it changes. Letters typed in a row are one change.
func (e *editor) save(letter bool) {
	if n := len(e.undo); letter && n > 0 && len(e.text)-len(e.undo[n-1].text) < 20 && len(e.text) > len(e.undo[n-1].text) && !strings.HasSuffix(e.text, " ") {
		return
	}
	e.undo = append(e.undo, version{e.text, e.cursor})
	if len(e.undo) > maxUndo {
		e.undo = e.undo[1:]
	}
}

func (e *editor) back() {
	if n := len(e.undo); n > 0 {
		e.text, e.cursor = e.undo[n-1].text, e.undo[n-1].cursor
		e.undo = e.undo[:n-1]
	}
}

// replace puts s in the place of text[from:to].
func (e *editor) replace(from, to int, s string) {
	e.save(false)
	e.text = e.text[:from] + e.text[to:]
	e.cursor = from
	e.insert(s)
}

// kill takes text[from:to] out and keeps it for Ctrl+Y.
func (e *editor) kill(from, to int) {
	if from < to {
		e.killed = e.text[from:to]
	}
	e.remove(from, to)
}

// span is one row on the screen: text[start:end].
type span struct{ start, end int }

// cluster returns the first grapheme cluster of s and its width.
func cluster(s string) (string, int) {
	g, w := ansi.FirstGraphemeCluster(s, ansi.GraphemeWidth)
	if g == "" && s != "" {
		_, n := utf8.DecodeRuneInString(s)
		g = s[:n]
	}
	return g, w
}

func (e *editor) set(s string) { e.text, e.cursor, e.column = s, len(s), -1 }

// insert puts s at the cursor. Control characters other than line feed are left out.
func (e *editor) insert(s string) {
	s = strings.ReplaceAll(s, "\t", strings.Repeat(" ", tabWidth))
	s = strings.Map(func(r rune) rune {
		if r != '\n' && steers(r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, s)
	e.text = e.text[:e.cursor] + s + e.text[e.cursor:]
	e.cursor += len(s)
	e.column = -1
}

// rows wraps the text.
func (e *editor) rows() []span {
	if e.cache != nil && e.cacheText == e.text && e.cacheSize == e.width {
		return e.cache
	}
	var out []span
	for at := 0; ; {
		end := len(e.text)
		if nl := strings.IndexByte(e.text[at:], '\n'); nl >= 0 {
			end = at + nl
		}
		out = e.wrapLine(out, at, end)
		if end == len(e.text) {
			break
		}
		at = end + 1
	}
	e.cache, e.cacheText, e.cacheSize = out, e.text, e.width
	return out
}

func (e *editor) wrapLine(out []span, start, end int) []span {
	width := max(e.width, 1)
	used, space := 0, -1 // space: where a word may be cut off
	for at := start; at < end; {
		g, w := cluster(e.text[at:end])
		for used+w > width && at > start { // twice where the rest of a word that was cut off fills a row, too
			next := at
			if space > start {
				next = space
			}
			out = append(out, span{start, next})
			start, used, space = next, ansi.StringWidth(e.text[next:at]), -1
		}
		used += w
		at += len(g)
		if g == " " {
			space = at
		}
	}
	return append(out, span{start, end})
}

// position returns the cursor's row and column on the screen.
func (e *editor) position() (row, col int) {
	rows := e.rows()
	for row = len(rows) - 1; row > 0 && rows[row].start > e.cursor; row-- {
	}
	return row, ansi.StringWidth(e.text[rows[row].start:e.cursor])
}

// vertical moves the cursor by rows.
func (e *editor) vertical(by int) {
	rows := e.rows()
	row, col := e.position()
	if e.column < 0 {
		e.column = col
	}
	row = max(0, min(len(rows)-1, row+by))
	r := rows[row]
	at, used := r.start, 0
	for at < r.end {
		g, w := cluster(e.text[at:r.end])
		// The end of a wrapped row is the beginning of the next one.
		if used+w > e.column || at+len(g) == r.end && row+1 < len(rows) && rows[row+1].start == r.end {
			break
		}
		used += w
		at += len(g)
	}
	e.cursor = at
}

func (e *editor) lineStart() int { return strings.LastIndexByte(e.text[:e.cursor], '\n') + 1 }

func (e *editor) lineEnd() int {
	if nl := strings.IndexByte(e.text[e.cursor:], '\n'); nl >= 0 {
		return e.cursor + nl
	}
	return len(e.text)
}

// before is the start of the cluster before the cursor.
func (e *editor) before() int {
	start := e.lineStart()
	if start == e.cursor {
		return max(0, e.cursor-1) // the line feed
	}
	at := start
	for {
		g, _ := cluster(e.text[at:e.cursor])
		if at+len(g) >= e.cursor {
			return at
		}
		at += len(g)
	}
}

func (e *editor) after() int {
	if e.cursor == len(e.text) {
		return e.cursor
	}
	g, _ := cluster(e.text[e.cursor:])
	return e.cursor + len(g)
}

// wordBefore and wordAfter are where the words around the cursor begin and end.
func (e *editor) wordBefore() int {
	word := strings.TrimRightFunc(e.text[:e.cursor], unicode.IsSpace)
	return strings.LastIndexFunc(word, unicode.IsSpace) + 1
}

func (e *editor) wordAfter() int {
	rest := e.text[e.cursor:]
	skipped := len(rest) - len(strings.TrimLeftFunc(rest, unicode.IsSpace))
	n := strings.IndexFunc(rest[skipped:], unicode.IsSpace)
	if n < 0 {
		return len(e.text)
	}
	return e.cursor + skipped + n
}

// remove takes text[from:to] out.
func (e *editor) remove(from, to int) {
	e.save(false)
	e.text = e.text[:from] + e.text[to:]
	e.cursor = from
}

// key carries out an editing key; false means that it is none.
func (e *editor) key(k tea.KeyPressMsg) bool {
	column := -1
	switch k.Keystroke() {
	case "up":
		e.vertical(-1)
		column = e.column
	case "down":
		e.vertical(1)
		column = e.column
	case "left", "ctrl+b":
		e.cursor = e.before()
	case "right", "ctrl+f":
		e.cursor = e.after()
	case "ctrl+left", "alt+left", "alt+b":
		e.cursor = e.wordBefore()
	case "ctrl+right", "alt+right", "alt+f":
		e.cursor = e.wordAfter()
	case "home", "ctrl+a":
		e.cursor = e.lineStart()
	case "end", "ctrl+e":
		e.cursor = e.lineEnd()
	case "backspace", "ctrl+h", "shift+backspace":
		e.remove(e.before(), e.cursor)
	case "delete", "ctrl+d":
		e.remove(e.cursor, e.after())
	case "ctrl+w", "alt+backspace", "ctrl+backspace":
		e.kill(e.wordBefore(), e.cursor)
	case "alt+d", "ctrl+delete":
		e.kill(e.cursor, e.wordAfter())
	case "ctrl+u":
		e.kill(e.lineStart(), e.cursor)
	case "ctrl+k":
		e.kill(e.cursor, e.lineEnd())
	case "ctrl+y":
		e.save(false)
		e.insert(e.killed)
	case "ctrl+_", "ctrl+-", "ctrl+/":
		e.back()
	default:
		if k.Text == "" {
			return false
		}
		e.save(true)
		e.insert(k.Text)
	}
	e.column = column
	return true
}
