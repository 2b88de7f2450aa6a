package doctor

import (
	"fmt"
	"strings"
)

// Smallest terminal that the chat screen is made for.
const (
	minWidth  = 40
	minHeight = 10
)

// terminal checks what the chat screen needs.
func (r *report) terminal() {
	term, _ := r.o.Getenv("TERM")
	width, height, err := r.o.TerminalSize()
	if err != nil {
		r.add("terminal", Skip, "standard output is no terminal", "")
		return
	}
	size := fmt.Sprintf("%s, %dx%d", term, width, height)
	if term == "" || term == "dumb" {
		r.add("terminal", Warn, fmt.Sprintf("TERM is %q: astrid chat needs a terminal that can move the cursor", term), "set TERM, or use astrid -p")
		return
	}
	if width < minWidth || height < minHeight {
		r.add("terminal", Warn, fmt.Sprintf("%s: astrid chat needs %dx%d", size, minWidth, minHeight), "make the window larger")
		return
	}
	if !r.utf8() {
		r.add("terminal", Warn, size+": the locale is not UTF-8", "set LANG to a UTF-8 locale, for example C.UTF-8")
		return
	}
	r.add("terminal", OK, size, "")
}

// utf8 tells whether the locale's characters are UTF-8, by the variables that decide it.
func (r *report) utf8() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v, ok := r.o.Getenv(name); ok && v != "" {
			v = strings.ToLower(v)
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return false
}
