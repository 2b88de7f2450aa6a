package host

import (
	"bytes"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/unicity-astrid/astrid-go/abi"
)

// copyPiece bounds what is copied at once, in bytes.
const copyPiece = 512 << 10

// Clone returns a copy of b. What is long is copied in pieces: Go's collector, and everybody who allocates meanwhile, waits
// for a copy that is under way, and one of 10 MiB into new memory takes 10 ms.
func Clone(b []byte) []byte {
	if len(b) <= copyPiece {
		return append([]byte(nil), b...)
	}
	out := make([]byte, len(b))
	move(out, b)
	return out
}

// move copies src to dst, which is as long, in pieces.
func move(dst, src []byte) {
	for len(src) > 0 {
		n := min(len(src), copyPiece)
		movePiece(dst, src[:n])
		dst, src = dst[n:], src[n:]
	}
}

// movePiece is a function of its own, because the collector stops a goroutine at the latest where a function begins.
//
//go:noinline
func movePiece(dst, src []byte) { copy(dst, src) }

// extend appends b to buf. When that is full it is moved in pieces.
func extend(buf, b []byte) []byte {
	if n := len(buf) + len(b); n > cap(buf) && len(buf) > copyPiece {
		bigger := make([]byte, len(buf), 2*n)
		move(bigger, buf)
		buf = bigger
	}
	return append(buf, b...)
}

// readAll is io.ReadAll that moves what it has in pieces.
func readAll(r io.Reader) ([]byte, error) {
	var all []byte
	piece := make([]byte, 64<<10)
	for {
		n, err := r.Read(piece)
		all = extend(all, piece[:n])
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
	}
}

// encodeResponse is encode of an [abi.HTTPResponse], with a body that is valid UTF-8, piece by piece.
func encodeResponse(status uint16, headers map[string]string, body []byte) ([]byte, error) {
	out, err := encode(abi.HTTPResponse{Status: status, Headers: headers})
	if err != nil {
		return nil, err
	}
	out = bytes.TrimSuffix(out, []byte(`"}`)) // the end of the empty body
	for len(body) > 0 {
		n := min(len(body), copyPiece)
		for n < len(body) && !utf8.RuneStart(body[n]) {
			n--
		}
		piece, err := encode(string(body[:n]))
		if err != nil {
			return nil, err
		}
		out = extend(out, piece[1:len(piece)-1])
		body = body[n:]
	}
	return append(out, `"}`...), nil
}
