package rawjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

var errEnd = errors.New("unexpected end of JSON input")

// Object visits the fields of an object in order. null has none.
func Object(b []byte, field func(name string, value json.RawMessage) error) error {
	if isNull(b) {
		return nil
	}
	return list(b, '{', '}', func(b []byte, at int) (int, error) {
		end, err := textEnd(b, at)
		if err != nil {
			return 0, err
		}
		name, err := Text(b[at:end])
		if err != nil {
			return 0, err
		}
		if at = blank(b, end); at >= len(b) || b[at] != ':' {
			return 0, syntax(b, at)
		}
		at = blank(b, at+1)
		if end, err = valueEnd(b, at); err != nil {
			return 0, err
		}
		return end, field(name, b[at:end:end])
	})
}

// Array visits the items of an array in order. null has none.
func Array(b []byte, item func(value json.RawMessage) error) error {
	if isNull(b) {
		return nil
	}
	return list(b, '[', ']', func(b []byte, at int) (int, error) {
		end, err := valueEnd(b, at)
		if err != nil {
			return 0, err
		}
		return end, item(b[at:end:end])
	})
}

func isNull(b []byte) bool { return string(bytes.TrimSpace(b)) == "null" }

// list walks over what is between open and shut. one handles the part that begins at an offset, and returns its end.
func list(b []byte, open, shut byte, one func(b []byte, at int) (end int, err error)) error {
	at := blank(b, 0)
	if at >= len(b) || b[at] != open {
		return syntax(b, at)
	}
	if at = blank(b, at+1); at < len(b) && b[at] == shut {
		return tail(b, at+1)
	}
	for {
		end, err := one(b, at)
		if err != nil {
			return err
		}
		if at = blank(b, end); at >= len(b) {
			return errEnd
		}
		switch b[at] {
		case shut:
			return tail(b, at+1)
		case ',':
			at = blank(b, at+1)
		default:
			return syntax(b, at)
		}
	}
}

// tail sees that nothing follows.
func tail(b []byte, at int) error {
	if at = blank(b, at); at < len(b) {
		return syntax(b, at)
	}
	return nil
}

func syntax(b []byte, at int) error {
	if at >= len(b) {
		return errEnd
	}
	return fmt.Errorf("invalid character %q at offset %d of JSON", b[at], at)
}

func blank(b []byte, at int) int {
	for at < len(b) && (b[at] == ' ' || b[at] == '\n' || b[at] == '\t' || b[at] == '\r') {
		at++
	}
	return at
}

// valueEnd is where the value ends that begins at an offset.
func valueEnd(b []byte, at int) (int, error) {
	if at >= len(b) {
		return 0, errEnd
	}
	switch b[at] {
	case '"':
		return textEnd(b, at)
	case '{', '[':
		return nestEnd(b, at)
	case ',', ':', '}', ']':
		return 0, syntax(b, at)
	}
	for at < len(b) && !ends[b[at]] {
		at++
	}
	return at, nil
}

// ends are the bytes that end a number or a word.
var ends = [256]bool{',': true, ':': true, '}': true, ']': true, '{': true, '[': true, '"': true, ' ': true, '\n': true, '\t': true, '\r': true}

// nestEnd counts brackets of both kinds together: they match in what is well-formed.
func nestEnd(b []byte, at int) (int, error) {
	depth := 0
	for at < len(b) {
		switch b[at] {
		case '"':
			end, err := textEnd(b, at)
			if err != nil {
				return 0, err
			}
			at = end
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return at + 1, nil
			}
		}
		at++
	}
	return 0, errEnd
}

// textEnd is where the string ends that begins at an offset.
func textEnd(b []byte, at int) (int, error) {
	if at >= len(b) || b[at] != '"' {
		return 0, syntax(b, at)
	}
	for at++; at < len(b); at++ {
		quote := bytes.IndexByte(b[at:], '"')
		if quote < 0 {
			return 0, errEnd
		}
		at += quote
		escapes := 0
		for b[at-1-escapes] == '\\' { // it stops at the quote that opens
			escapes++
		}
		if escapes%2 == 0 {
			return at + 1, nil
		}
	}
	return 0, errEnd
}

// Text decodes a string.
func Text(b []byte) (string, error) {
	b = bytes.TrimSpace(b)
	end, err := textEnd(b, 0)
	if err != nil {
		return "", err
	}
	if err := tail(b, end); err != nil {
		return "", err
	}
	return decode(b[1 : end-1])
}
