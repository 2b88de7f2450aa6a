package cli

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
)

const (
	// patchFiles and patchBytes bound what is asked for at once. The daemon makes each piece
	// in memory.
	patchFiles = 256
	patchBytes = 4 << 20
	// patchTries is how often a piece is read again that changed while it was read.
	patchTries = 5
)

// patch passes on the diff of the changes, whole files at a time.
func (v *overlayView) patch(ctx context.Context, list []abi.OverlayChange, emit func(string) error) error {
	for len(list) > 0 {
		var paths []string
		paths, list = nextPiece(list)
		if len(paths) == 0 {
			continue
		}
		text, err := v.piece(ctx, paths)
		if err == nil {
			err = emit(text)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// nextPiece takes paths from the list for one request. A file in the place of a directory, or
// the other way round, stands for everything that was or is below it.
func nextPiece(list []abi.OverlayChange) (paths []string, rest []abi.OverlayChange) {
	size := int64(0)
	for len(list) > 0 && len(paths) < patchFiles && size < patchBytes {
		c := list[0]
		list = list[1:]
		if isDirectory(c) {
			continue // a diff shows no directories
		}
		paths = append(paths, c.Path)
		size += c.OldSize + c.NewSize
		if c.OldKind == "directory" || c.NewKind == "directory" {
			list = without(list, c.Path)
		}
	}
	return paths, list
}

// without leaves out what lies below dir. It is not always next to it: "a-b" sorts between
// "a" and "a/b".
func without(list []abi.OverlayChange, dir string) []abi.OverlayChange {
	var out []abi.OverlayChange
	for _, c := range list {
		if !strings.HasPrefix(c.Path, dir+"/") {
			out = append(out, c)
		}
	}
	return out
}

// piece is the diff of some paths. It comes in parts, which belong together when they have
// one sum.
func (v *overlayView) piece(ctx context.Context, paths []string) (string, error) {
	for range patchTries {
		var b strings.Builder
		sum := ""
		for {
			sel := abi.OverlaySelector{Session: v.Session, Paths: paths, Offset: b.Len()}
			part, err := callPatiently[abi.OverlayDiff](ctx, v.conn, abi.MethodOverlayDiff, sel)
			if err != nil {
				return "", err
			}
			if b.Len() > 0 && part.Sum != sum {
				break // the files changed meanwhile
			}
			sum = part.Sum
			b.Write(part.Text)
			if b.Len() >= part.Total {
				return b.String(), nil
			}
			if len(part.Text) == 0 {
				return "", errors.New("the daemon sent an incomplete diff")
			}
		}
	}
	return "", fail(ExitError, "the session keeps changing %s while it is read: try again when its agent has finished", quoted(paths[0]))
}

// fileStat counts what changed in one file.
type fileStat struct {
	ins, del int
	binary   bool // or too large to be compared
}

// patchStats has the counts of files by their path.
type patchStats map[string]*fileStat

// read counts in a patch of whole files.
func (s patchStats) read(text string) {
	var cur *fileStat
	hunk := false
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "diff --git "):
			name := patchName(strings.TrimSuffix(line, "\n"))
			if s[name] == nil { // a file in the place of a link has two parts
				s[name] = new(fileStat)
			}
			cur, hunk = s[name], false
		case cur == nil:
		case strings.HasPrefix(line, "@@"):
			hunk = true
		case !hunk:
			cur.binary = cur.binary || strings.HasPrefix(line, "Binary files ")
		case line[0] == '+':
			cur.ins++
		case line[0] == '-':
			cur.del++
		}
	}
}

// patchName reads the path from "diff --git a/P b/P". Both halves are equally long, so spaces
// in P do no harm.
func patchName(line string) string {
	rest := strings.TrimPrefix(line, "diff --git ")
	a := rest[:len(rest)/2]
	if name, err := strconv.Unquote(a); err == nil {
		a = name
	}
	return strings.TrimPrefix(a, "a/")
}

// painter makes a patch fit for a terminal.
type painter struct {
	colour bool
	hunk   bool
}

const (
	bold  = "\x1b[1m"
	red   = "\x1b[31m"
	green = "\x1b[32m"
	cyan  = "\x1b[36m"
	plain = "\x1b[m"
)

// paint escapes what could steer the terminal and colours the lines. Text is whole lines.
func (p *painter) paint(text string) string {
	var b strings.Builder
	for line := range strings.Lines(printable(text)) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "diff --git "):
			p.hunk = false
		case strings.HasPrefix(line, "@@"):
			p.hunk = true
		}
		b.WriteString(p.line(line) + "\n")
	}
	return b.String()
}

func (p *painter) line(s string) string {
	c := ""
	switch {
	case !p.colour || s == "":
	case !p.hunk:
		c = bold
	case s[0] == '@':
		c = cyan
	case s[0] == '+':
		c = green
	case s[0] == '-':
		c = red
	}
	if c == "" {
		return s
	}
	return c + s + plain
}
