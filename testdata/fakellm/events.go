package fakellm

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"
)

// Events writes server-sent events in the way that a scenario asks for.
type Events struct {
	// Failed is how the vendor writes an error into a stream: the name of the event, if it
	// has one, and its data.
	Failed func(*APIError) (name string, data any)
	// BrokenText is what an event is that is not JSON.
	BrokenText string

	w     http.ResponseWriter
	flush *http.ResponseController
	hr    *http.Request
	wire  Wire
	sent  int
	over  bool // after an error nothing more comes
}

// NewEvents begins a stream.
func NewEvents(w http.ResponseWriter, hr *http.Request, wire Wire) *Events {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	if wire.LineEnd == "" {
		wire.LineEnd = "\n"
	}
	return &Events{w: w, flush: http.NewResponseController(w), hr: hr, wire: wire}
}

// Event writes an event. Without a name it has data only.
func (e *Events) Event(name string, v any) {
	if e.wire.Fail != nil && e.sent == e.wire.FailAfter {
		failed, data := e.Failed(e.wire.Fail)
		e.Write(failed, string(Encode(data)))
		e.over = true
	}
	if e.wire.Broken && e.sent == 2 {
		e.Write(name, e.BrokenText)
	}
	e.Write(name, string(Encode(v)))
	e.sent++
	if e.wire.Cut > 0 && e.sent == e.wire.Cut {
		panic(http.ErrAbortHandler) // net/http closes the connection without the final chunk
	}
}

// Write writes data as it is.
func (e *Events) Write(name, data string) {
	if e.over {
		return
	}
	if e.wire.Gap > 0 && e.sent > 0 {
		select {
		case <-time.After(e.wire.Gap):
		case <-e.hr.Context().Done():
			panic(http.ErrAbortHandler)
		}
	}
	if e.wire.Ping {
		e.raw(": ping" + e.wire.LineEnd + e.wire.LineEnd)
	}
	sep := " "
	if e.wire.NoSpace {
		sep = ""
	}
	head := ""
	if name != "" {
		head = "event:" + sep + name + e.wire.LineEnd
	}
	e.raw(head + "data:" + sep + data + e.wire.LineEnd + e.wire.LineEnd)
}

// raw writes and flushes; if asked to, it flushes within each character of several bytes.
func (e *Events) raw(text string) {
	for len(text) > 0 {
		n := len(text)
		if e.wire.SplitBytes {
			if i := strings.IndexFunc(text, func(r rune) bool { return r >= utf8.RuneSelf }); i >= 0 {
				n = i + 1
			}
		}
		// An error here is a client that has gone; the request's context ends the rest.
		_, _ = e.w.Write([]byte(text[:n]))
		_ = e.flush.Flush()
		text = text[n:]
	}
}

// Encode is JSON with characters as they are.
func Encode(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // plain records always encode
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

// WriteJSON answers with a record.
func WriteJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(Encode(v)) // an error is a client that has gone
}
