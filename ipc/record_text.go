package ipc

import (
	"encoding/json"
	"reflect"
	"strings"
	"unicode/utf8"
)

// textPiece bounds how much of a string is decoded at once, in bytes of JSON: Go's collector waits for a copy that is
// under way, and one of 10 MiB takes it 10 ms.
const textPiece = 512 << 10

// setText decodes a long string into v, a string or a pointer to one. It tells whether it did.
func setText(v reflect.Value, raw []byte) bool {
	t := v.Type()
	pointer := t.Kind() == reflect.Pointer
	if pointer {
		t = t.Elem()
	}
	if len(raw) <= textPiece || raw[0] != '"' || t.Kind() != reflect.String {
		return false
	}
	s, err := decodeText(raw, textPiece)
	if err != nil {
		return false // the usual way says what is wrong
	}
	if pointer {
		p := reflect.New(t)
		p.Elem().SetString(s)
		v.Set(p)
	} else {
		v.SetString(s)
	}
	return true
}

// decodeText is json.Unmarshal of a valid string, piece by piece.
func decodeText(raw []byte, size int) (string, error) {
	body := raw[1 : len(raw)-1]
	var out strings.Builder
	out.Grow(len(body))
	piece := make([]byte, 0, size+64)
	for len(body) > 0 {
		n := textCut(body, size)
		piece = append(append(append(piece[:0], '"'), body[:n]...), '"')
		var s string
		if err := json.Unmarshal(piece, &s); err != nil {
			return "", err
		}
		out.WriteString(s)
		body = body[n:]
	}
	return out.String(), nil
}

// textCut returns where a piece of about size bytes ends: not inside an escape or a rune, and not between two escapes,
// since they may be one rune together.
func textCut(body []byte, size int) int {
	n := 0
	for n < len(body) && (n < size || body[n] == '\\' || !utf8.RuneStart(body[n])) {
		if body[n] == '\\' {
			n++ // and what is escaped: of \uXXXX the digits are like other bytes
			if n < len(body) && body[n] == 'u' {
				n += 4
			}
		}
		n++
	}
	return min(n, len(body))
}
