package vfs

import (
	"bytes"
	"fmt"
	"strings"
)

// maxEdits bounds the work of the line diff: with more differences between two files, what lies between their common start and
// end is shown as replaced whole. Time and memory grow with its square (about 16 MB).
const maxEdits = 1500

// hunkLine is one line of an edit script: ' ' kept, '-' deleted, '+' inserted.
type hunkLine struct {
	kind byte
	text []byte
}

// splitLines keeps the line ends, so that a missing last one is a difference.
func splitLines(data []byte) [][]byte {
	if len(data) == 0 {
		return nil
	}
	lines := bytes.SplitAfter(data, []byte("\n"))
	if len(lines[len(lines)-1]) == 0 {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// script is a shortest edit script from a to b (Myers, "An O(ND) Difference Algorithm and Its Variations", 1986).
func script(a, b [][]byte) []hunkLine {
	var out []hunkLine
	pre := 0
	for pre < len(a) && pre < len(b) && bytes.Equal(a[pre], b[pre]) {
		out = append(out, hunkLine{' ', a[pre]})
		pre++
	}
	post := 0
	for post < len(a)-pre && post < len(b)-pre && bytes.Equal(a[len(a)-1-post], b[len(b)-1-post]) {
		post++
	}
	out = append(out, middle(a[pre:len(a)-post], b[pre:len(b)-post])...)
	for _, line := range a[len(a)-post:] {
		out = append(out, hunkLine{' ', line})
	}
	return out
}

func middle(a, b [][]byte) []hunkLine {
	trace, ok := forward(a, b)
	if !ok {
		var out []hunkLine
		for _, line := range a {
			out = append(out, hunkLine{'-', line})
		}
		for _, line := range b {
			out = append(out, hunkLine{'+', line})
		}
		return out
	}
	return backward(a, b, trace)
}

// forward finds, for each number d of edits, how far each diagonal k reaches. trace[d] holds the diagonals -d-1..d+1 as they
// were before round d.
func forward(a, b [][]byte) (trace [][]int, ok bool) {
	v := map[int]int{1: 0}
	for d := 0; d <= len(a)+len(b); d++ {
		if d > maxEdits {
			return nil, false
		}
		row := make([]int, 2*d+3)
		for k := -d - 1; k <= d+1; k++ {
			row[k+d+1] = v[k]
		}
		trace = append(trace, row)
		for k := -d; k <= d; k += 2 {
			x := v[k-1] + 1
			if k == -d || k != d && v[k-1] < v[k+1] {
				x = v[k+1]
			}
			for x < len(a) && x-k < len(b) && x-k >= 0 && bytes.Equal(a[x], b[x-k]) {
				x++
			}
			v[k] = x
			if x >= len(a) && x-k >= len(b) {
				return trace, true
			}
		}
	}
	return trace, true
}

// backward reads the script off the trace, from the end.
func backward(a, b [][]byte, trace [][]int) []hunkLine {
	var rev []hunkLine
	x, y := len(a), len(b)
	for d := len(trace) - 1; d >= 0; d-- {
		at := func(k int) int { return trace[d][k+d+1] }
		k := x - y
		prev := k - 1
		if k == -d || k != d && at(k-1) < at(k+1) {
			prev = k + 1
		}
		px := at(prev)
		py := px - prev
		for x > px && y > py && x > 0 && y > 0 {
			x, y = x-1, y-1
			rev = append(rev, hunkLine{' ', a[x]})
		}
		if d == 0 {
			break
		}
		if x == px {
			y--
			rev = append(rev, hunkLine{'+', b[y]})
		} else {
			x--
			rev = append(rev, hunkLine{'-', a[x]})
		}
	}
	out := make([]hunkLine, len(rev))
	for i, l := range rev {
		out[len(rev)-1-i] = l
	}
	return out
}

// unified writes the hunks of the difference between two texts.
func unified(a, b []byte) string {
	lines := script(splitLines(a), splitLines(b))
	var out strings.Builder
	oldLine, newLine := 1, 1 // of lines[i]
	for i := 0; i < len(lines); {
		if lines[i].kind == ' ' {
			oldLine, newLine, i = oldLine+1, newLine+1, i+1
			continue
		}
		start := max(0, i-diffContext)
		for j := start; j < i; j++ {
			oldLine, newLine = oldLine-1, newLine-1
		}
		end, quiet := i, 0
		for end < len(lines) && quiet <= 2*diffContext {
			if quiet++; lines[end].kind != ' ' {
				quiet = 0
			}
			end++
		}
		end -= max(0, quiet-diffContext)
		oldLine, newLine = hunk(&out, lines[start:end], oldLine, newLine)
		i = end
	}
	return out.String()
}

func hunk(out *strings.Builder, lines []hunkLine, oldLine, newLine int) (int, int) {
	var body strings.Builder
	dels, adds := 0, 0
	for _, l := range lines {
		if l.kind != '+' {
			dels++
		}
		if l.kind != '-' {
			adds++
		}
		body.WriteByte(l.kind)
		body.Write(l.text)
		if !bytes.HasSuffix(l.text, []byte("\n")) {
			body.WriteString("\n\\ No newline at end of file\n")
		}
	}
	fmt.Fprintf(out, "@@ -%s +%s @@\n%s", span(oldLine, dels), span(newLine, adds), body.String())
	return oldLine + dels, newLine + adds
}

// span is "start,count"; an empty side names the line before it.
func span(start, n int) string {
	switch n {
	case 0:
		return fmt.Sprintf("%d,0", start-1)
	case 1:
		return fmt.Sprint(start)
	}
	return fmt.Sprintf("%d,%d", start, n)
}
