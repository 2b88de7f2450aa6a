package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/unicity-astrid/astrid-go/capsule/distro"
)

// progressBars shows one line for each capsule on a terminal, drawn over again with each
// step. Elsewhere it says nothing.
type progressBars struct {
	w      io.Writer
	names  []string
	phases map[string]string
	drawn  int
}

// steps are the phases of a bar, in order.
var steps = []string{string(distro.Fetching), string(distro.Verifying), string(distro.Installing), "compile", "done"}

// maxBars is the most lines that are drawn: more than a screen cannot be drawn over.
const maxBars = 20

func newProgressBars(sys System) *progressBars {
	if !sys.IsTerminal(sys.Stderr) {
		return nil
	}
	return &progressBars{w: sys.Stderr, phases: map[string]string{}}
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
	p.draw()
}

func (p *progressBars) draw() {
	var b strings.Builder
	if p.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", p.drawn)
	}
	lines := p.names
	if hidden := len(lines) - maxBars; hidden > 0 {
		lines = lines[hidden:]
	}
	for _, name := range lines {
		at := 0
		for i, s := range steps {
			if s == p.phases[name] {
				at = i + 1
			}
		}
		full := at * 20 / len(steps)
		fmt.Fprintf(&b, "\r\x1b[K  %-24.24s [%s%s] %s\n", short([]string{name})[0], strings.Repeat("=", full), strings.Repeat(" ", 20-full), p.phases[name])
	}
	p.drawn = len(lines)
	_, _ = io.WriteString(p.w, b.String())
}

// end leaves what is drawn where it is; what comes next begins below.
func (p *progressBars) end() {
	if p != nil {
		p.drawn = 0
	}
}
