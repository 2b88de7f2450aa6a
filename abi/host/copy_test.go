package host

import (
	"bytes"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/unicity-astrid/astrid-go/abi"
)

func TestClone(t *testing.T) {
	for _, n := range []int{0, 1, copyPiece - 1, copyPiece, copyPiece + 1, 3*copyPiece + 7} {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(i * 7)
		}
		c := Clone(b)
		if !bytes.Equal(b, c) || n > 0 && &b[0] == &c[0] {
			t.Errorf("%d bytes: a copy of %d", n, len(c))
		}
	}
}

// TestEncodeResponse: in pieces a response is encoded as it is as a whole.
func TestEncodeResponse(t *testing.T) {
	headers := map[string]string{"a": "\"b"}
	for _, unit := range []string{"x", "\n<&>", "é", "\u2028", "\U0001f600", "ab\U0001f600\"\\"} {
		for _, n := range []int{0, 1, copyPiece / len(unit), copyPiece/len(unit) + 1, 2*copyPiece/len(unit) + 3} {
			body := strings.Repeat(unit, n)
			want, err := encode(abi.HTTPResponse{Status: 200, Headers: headers, Body: body})
			must(t, err)
			read, err := readAll(iotest.OneByteReader(strings.NewReader(body[:min(len(body), 3000)])))
			must(t, err)
			if string(read) != body[:min(len(body), 3000)] {
				t.Error("read otherwise")
			}
			read, err = readAll(strings.NewReader(body))
			must(t, err)
			got, err := encodeResponse(200, headers, read)
			must(t, err)
			if !bytes.Equal(got, want) {
				t.Errorf("%d times %q is encoded otherwise", n, unit)
			}
		}
	}
	if _, err := readAll(iotest.TimeoutReader(strings.NewReader(strings.Repeat("x", 1<<20)))); err == nil {
		t.Error("an error of the reader is lost")
	}
}
