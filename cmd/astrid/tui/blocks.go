package tui

import "strings"

// blockEnd returns where the first Markdown block of text ends, if that is certain by now:
// at an empty line outside a fence, after which a line begins that is not indented (an
// indented one would go on with the same list). 0 means: not yet.
func blockEnd(text string) int {
	fence := ""
	empty := false // the line before was empty
	seen := false  // the block has begun
	for at := 0; at < len(text); {
		nl := strings.IndexByte(text[at:], '\n')
		line := text[at:]
		if nl >= 0 {
			line = text[at : at+nl]
		}
		trimmed := strings.TrimLeft(line, " ")
		switch {
		case fence == "" && empty && seen && trimmed != "":
			if line[0] != ' ' && line[0] != '\t' {
				return at
			}
		case fence == "" && empty && seen && nl < 0:
			return 0 // the next line has not begun
		}
		if mark := fenceMark(trimmed); mark != "" {
			switch {
			case fence == "":
				fence = mark
			case strings.HasPrefix(mark, fence) && strings.Trim(trimmed, mark[:1]+" ") == "":
				fence = ""
			}
		}
		if strings.TrimSpace(line) == "" {
			empty = fence == ""
		} else {
			empty, seen = false, true
		}
		if nl < 0 {
			return 0
		}
		at += nl + 1
	}
	return 0
}

// fenceMark is the run of backquotes or tildes that opens or closes a fence.
func fenceMark(line string) string {
	for _, c := range []string{"`", "~"} {
		n := len(line) - len(strings.TrimLeft(line, c))
		if n >= 3 {
			return line[:n]
		}
	}
	return ""
}

// splitBlocks cuts a complete text the way it would have been cut while it came.
func splitBlocks(text string) []string {
	var out []string
	for {
		n := blockEnd(text)
		if n == 0 {
			break
		}
		out = append(out, text[:n])
		text = text[n:]
	}
	if strings.TrimSpace(text) != "" {
		out = append(out, text)
	}
	return out
}
