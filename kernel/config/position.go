package config

import "strings"

// The TOML library knows where a key's value begins. Where the entries of an array and the tables of an array of tables
// are, it does not say; the functions here find them in the text, which is known to be valid TOML.

type position struct{ line, col int }

// itemPositions returns where the strings of an array begin. offset is at or just behind the array's bracket.
// Anything but a flat array of strings gives a wrong number of positions, which the caller notices.
func itemPositions(src string, offset int) []position {
	if offset < 0 || offset > len(src) {
		return nil
	}
	var out []position
	if offset < len(src) && src[offset] == '[' {
		offset++
	}
	line, counted := strings.Count(src[:offset], "\n")+1, offset
	for i := offset; i < len(src); {
		switch c := src[i]; c {
		case ']':
			return out
		case '#':
			end := strings.IndexByte(src[i:], '\n')
			if end < 0 {
				return nil
			}
			i += end
		case '"', '\'':
			line, counted = line+strings.Count(src[counted:i], "\n"), i
			out = append(out, position{line, i - strings.LastIndexByte(src[:i], '\n')})
			if i = endOfString(src, i); i < 0 {
				return nil
			}
		case '[', '{':
			return nil
		default:
			i++
		}
	}
	return nil
}

// endOfString returns the offset behind the string that begins at i, or -1.
func endOfString(src string, i int) int {
	quote := src[i : i+1]
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(src[i:], triple) {
		quote = triple
	}
	for j := i + len(quote); j < len(src); j++ {
		if src[j] == '\\' && quote[0] == '"' {
			j++
			continue
		}
		if strings.HasPrefix(src[j:], quote) {
			j += len(quote)
			for len(quote) == 3 && j < len(src) && src[j] == quote[0] { // """a"""" ends with the last quotes
				j++
			}
			return j
		}
	}
	return -1
}

// headerPositions returns where [[path]] is written at the beginning of a line.
func headerPositions(src, path string) []position {
	var out []position
	line := 0
	for text := range strings.Lines(src) {
		line++
		trimmed := strings.TrimLeft(text, " \t")
		rest, ok := strings.CutPrefix(trimmed, "[[")
		if !ok {
			continue
		}
		name, _, ok := strings.Cut(rest, "]]")
		if ok && strings.ReplaceAll(strings.ReplaceAll(name, " ", ""), "\t", "") == path {
			out = append(out, position{line, len(text) - len(trimmed) + 1})
		}
	}
	return out
}

// The parser's time grows with the cube of a key's depth, and a project's file is hostile: a few kilobytes of "a.a.a." would keep
// a daemon busy for minutes. No key of ours comes near these limits.
const (
	maxDots  = 32 // on one line, outside strings and comments
	maxDepth = 16 // of brackets and braces
)

// tooDeep returns where a text is nested deeper than any configuration, or 0. It need not be right about invalid TOML: up to
// where the parser stops, it is.
func tooDeep(src string) (line int) {
	line, dots, depth := 1, 0, 0
	for i := 0; i < len(src); i++ {
		switch c := src[i]; c {
		case '\n':
			line++
			dots = 0
		case '.':
			dots++
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		case '#':
			end := strings.IndexByte(src[i:], '\n')
			if end < 0 {
				return 0
			}
			i += end - 1
		case '"', '\'':
			end := endOfString(src, i)
			if end < 0 {
				return 0
			}
			line += strings.Count(src[i:end], "\n")
			i = end - 1
		}
		if dots > maxDots || depth > maxDepth {
			return line
		}
	}
	return 0
}
