package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/term"

	"github.com/unicity-astrid/astrid-go/capsule/distro"
)

// progressBars shows one line for each capsule on a terminal, drawn over again with each
// step. Where they have no room the ones that moved last are shown. Elsewhere it says nothing.
type progressBars struct {
	w      io.Writer
	size   func() (cols, rows int)
	names  []string // in the order in which they began
	recent []string // the one that moved last comes last
	phases map[string]string
	drawn  int
}

// steps are the phases of a bar, in order.
var steps = []string{string(distro.Fetching), string(distro.Verifying), string(distro.Installing), "compile", "done"}

func newProgressBars(sys System) *progressBars {
	if !sys.draws() {
		return nil
	}
	return &progressBars{w: sys.Stderr, size: sys.size, phases: map[string]string{}}
}

// draws tells whether standard error is a terminal on which lines can be drawn over.
func (s System) draws() bool {
	t, _ := s.Getenv("TERM")
	return s.IsTerminal(s.Stderr) && t != "" && t != "dumb"
}

// size of the terminal that is drawn on.
func (s System) size() (cols, rows int) {
	if f, ok := s.Stderr.(interface{ Fd() uintptr }); ok {
		if cols, rows, err := term.GetSize(int(f.Fd())); err == nil && cols > 0 && rows > 0 {
			return cols, rows
		}
	}
	return 80, 24
}

// step tells that a capsule has come to a phase.
func (p *progressBars) step(name, phase string) {
	if p == nil {
		return
	}
	if _, ok := p.phases[name]; !ok {
		p.names = append(p.names, name)
	}
	p.phases[name] = phase
	p.recent = append(slices.DeleteFunc(p.recent, func(n string) bool { return n == name }), name)
	p.draw()
}

func (p *progressBars) draw() {
	var b strings.Builder
	p.up(&b)
	cols, rows := p.size()
	lines, hidden := p.names, 0
	if room := max(rows-2, 1); len(lines) > room { // one line says how many there are, the cursor stands in another
		hidden = len(lines)
		lines = slices.DeleteFunc(slices.Clone(p.names), func(n string) bool {
			return !slices.Contains(p.recent[max(len(p.recent)-room, 0):], n)
		})
	}
	name, bar := 24, 20
	if cols < 62 { // the name matters more than how long the bar is
		bar = max(min((cols-17)/3, 20), 1)
		name = max(cols-16-bar, 1)
	}
	for _, n := range lines {
		at := slices.Index(steps, p.phases[n]) + 1
		full := at * bar / len(steps)
		fmt.Fprintf(&b, "\r\x1b[K  %-*.*s [%s%s] %s\n", name, name, short([]string{n})[0], strings.Repeat("=", full), strings.Repeat(" ", bar-full), p.phases[n])
	}
	p.drawn = len(lines)
	if hidden > 0 {
		done := 0
		for _, phase := range p.phases {
			if phase == steps[len(steps)-1] {
				done++
			}
		}
		fmt.Fprintf(&b, "\r\x1b[K  %d of %d done\n", done, hidden)
		p.drawn++
	}
	b.WriteString("\r\x1b[K") // what a download has said below
	_, _ = io.WriteString(p.w, b.String())
}

// up goes to where the first line was drawn.
func (p *progressBars) up(b *strings.Builder) {
	if p.drawn > 0 {
		fmt.Fprintf(b, "\x1b[%dA", p.drawn)
	}
}

// end leaves what is drawn where it is; what comes next begins below.
func (p *progressBars) end() {
	if p != nil {
		p.drawn = 0
	}
}

// clear takes the lines away; what comes next is in their place.
func (p *progressBars) clear() {
	if p == nil || p.drawn == 0 {
		return
	}
	var b strings.Builder
	p.up(&b)
	b.WriteString("\r\x1b[J")
	_, _ = io.WriteString(p.w, b.String())
	p.drawn = 0
}
