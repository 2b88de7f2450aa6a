package http

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/internal/link"
	"github.com/unicity-astrid/astrid-go/sdk/internal/wire"
	"github.com/unicity-astrid/astrid-go/sdk/ipc"
)

// Stream is an answer that is read as it arrives. It must be closed: an instance can have
// [abi.MaxHTTPStreams] open.
type Stream struct {
	Status  int
	Headers map[string]string // names in lower case

	handle string
	rest   []byte // of the last chunk
	err    error  // sticky
	cost   *float64
	closed bool
}

var _ io.ReadCloser = (*Stream)(nil)

// Open sends a request and returns once the headers have come.
func Open(r *Request) (*Stream, error) {
	req, err := r.record()
	if err != nil {
		return nil, err
	}
	var a abi.HTTPStream
	if err := wire.Ask(abi.HTTPStreamStart, req, &a); err != nil {
		return nil, fmt.Errorf("%s %s: %w", req.Method, r.URL, err)
	}
	return &Stream{Status: int(a.Status), Headers: a.Headers, handle: a.Handle}, nil
}

// Header returns a header whatever the case of its name.
func (s *Stream) Header(name string) string { return s.Headers[strings.ToLower(name)] }

// OK tells whether the status is one of success, 200 to 299.
func (s *Stream) OK() bool { return s.Status/100 == 2 }

// Next returns the next bytes as they have arrived, or io.EOF. It waits at most
// [abi.HTTPChunkTimeout]. It is Read without a copy; the two may be mixed.
func (s *Stream) Next() ([]byte, error) { return s.next(s.handle) }

// NextUnless is Next that is interrupted with abi.ErrCanceled while a message waits at sub.
// Nothing is lost: poll sub, then go on reading or close the stream.
func (s *Stream) NextUnless(sub *ipc.Subscription) ([]byte, error) {
	b, err := wire.Marshal(abi.HTTPStreamNext{Handle: s.handle, Until: sub.ID()})
	if err != nil {
		return nil, err
	}
	return s.next(string(b))
}

func (s *Stream) next(param string) ([]byte, error) {
	if len(s.rest) > 0 {
		b := s.rest
		s.rest = nil
		return b, nil
	}
	if s.err != nil {
		return nil, s.err
	}
	b, err := link.Call(abi.HTTPStreamRead, param)
	switch {
	case errors.Is(err, abi.ErrCanceled) && param != s.handle:
		return nil, err // not sticky
	case err != nil:
		s.err = err
	case len(b) == 0:
		s.err = io.EOF
	}
	return b, s.err
}

// Read implements io.Reader.
func (s *Stream) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	b, err := s.Next()
	if err != nil {
		return 0, err
	}
	n := copy(p, b)
	s.rest = b[n:]
	return n, nil
}

// Settle tells what the request really cost. The budget is charged with it when the
// stream is closed; a floor set by the person applies.
func (s *Stream) Settle(usd float64) { s.cost = &usd }

// Close ends the request and settles its cost; closing twice is fine.
func (s *Stream) Close() error {
	if s.closed {
		return nil
	}
	s.closed, s.rest, s.err = true, nil, abi.Errorf(abi.CodeClosed, "stream is closed")
	if s.cost == nil {
		_, err := link.Call(abi.HTTPStreamClose, s.handle)
		return err
	}
	return wire.Ask(abi.HTTPStreamClose, abi.HTTPStreamEnd{Handle: s.handle, CostUSD: s.cost}, nil)
}
