package provider

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/http"
)

// maxEvent bounds one event of a stream, in bytes.
const maxEvent = 1 << 20

// Event is one server-sent event.
type Event struct {
	Name string // empty if it has none
	Data []byte
}

// Decode decodes the data as JSON.
func (e Event) Decode(into any) error {
	if err := json.Unmarshal(e.Data, into); err != nil {
		return Unreadable(err)
	}
	return nil
}

// Events reads server-sent events. Source: WHATWG HTML, "Server-sent events". A character
// that is split between two reads stays whole, because only whole lines are looked at.
type Events struct {
	// EachLine has every line of data be an event of its own, for servers that leave out
	// the empty line between them.
	EachLine bool

	call   *Call
	stream *http.Stream
	buf    []byte
	err    error
}

// Next returns the next event that has data. io.EOF is the end of the stream.
func (e *Events) Next() (Event, error) {
	var ev Event
	for {
		line, err := e.line()
		if err != nil {
			if errors.Is(err, io.EOF) && len(ev.Data) > 0 {
				return ev, nil // the last empty line is missing
			}
			return Event{}, err
		}
		name, value, _ := bytes.Cut(line, []byte{':'})
		value = bytes.TrimPrefix(value, []byte{' '})
		switch string(name) {
		case "event":
			ev.Name = string(value)
		case "data":
			if e.EachLine {
				if value = bytes.TrimSpace(value); len(value) == 0 {
					continue
				}
				ev.Data = value
				return ev, nil
			}
			if len(ev.Data) > 0 {
				ev.Data = append(ev.Data, '\n')
			}
			if ev.Data = append(ev.Data, value...); len(ev.Data) > maxEvent {
				return Event{}, errLong
			}
		case "":
			if len(line) == 0 && len(bytes.TrimSpace(ev.Data)) > 0 {
				return ev, nil
			}
			if len(line) == 0 {
				ev = Event{}
			}
		}
	}
}

var errLong = Fail(abi.LlmProtocol, "a line of the stream is longer than %d bytes", maxEvent)

// line returns the next line without its end.
func (e *Events) line() ([]byte, error) {
	for {
		if i := bytes.IndexByte(e.buf, '\n'); i >= 0 {
			line := bytes.TrimSuffix(e.buf[:i:i], []byte{'\r'})
			e.buf = e.buf[i+1:]
			return line, nil
		}
		if len(e.buf) > maxEvent {
			return nil, errLong
		}
		if e.err != nil {
			if errors.Is(e.err, io.EOF) && len(bytes.TrimSpace(e.buf)) > 0 {
				line := e.buf
				e.buf = nil
				return line, nil
			}
			return nil, e.err
		}
		b, err := e.more()
		e.buf = append(e.buf, b...)
		e.err = err
	}
}

// more waits for bytes, or for word that nobody wants them any more. What came before is published first.
func (e *Events) more() ([]byte, error) {
	if err := e.call.flush(); err != nil {
		return nil, err
	}
	for {
		b, err := e.stream.NextUnless(e.call.cancel)
		if errors.Is(err, abi.ErrCanceled) {
			waiting, perr := e.call.cancel.Poll()
			if perr != nil || len(waiting.Messages) == 0 || e.call.isCancelled(waiting) {
				return nil, errCancelled // by a message, or by the end of the call
			}
			continue
		}
		if err != nil && !errors.Is(err, io.EOF) {
			f := failureOf(err)
			return nil, &Failure{f.LlmFailure, fmt.Sprintf("the stream broke off: %v", err)}
		}
		return b, err
	}
}
