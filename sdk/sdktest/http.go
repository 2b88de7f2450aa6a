package sdktest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
)

// stream is the rest of an answer, split where the handler flushed, or a real one.
type stream struct {
	chunks [][]byte
	body   *liveBody
}

// chunked records an answer and notes where it was flushed.
type chunked struct {
	*httptest.ResponseRecorder
	cuts []int
}

// Flush ends a chunk.
func (c *chunked) Flush() {
	c.ResponseRecorder.Flush()
	c.cuts = append(c.cuts, c.Body.Len())
}

func (c *chunked) split() [][]byte {
	var out [][]byte
	body, from := c.Body.Bytes(), 0
	for _, to := range append(c.cuts, len(body)) {
		if to > from {
			out = append(out, bytes.Clone(body[from:to]))
		}
		from = to
	}
	return out
}

// Costs are what the capsule settled its streams with, in US dollars, in order.
func (h *Host) Costs() []float64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]float64(nil), h.costs...)
}

// OpenStreams is the number of HTTP streams that the capsule has not closed.
func (h *Host) OpenStreams() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.streams)
}

func (h *Host) serveHTTP(fn abi.Function, p []string) ([]byte, error) {
	switch fn {
	case abi.HTTPStreamRead:
		return h.readStream(p[0])
	case abi.HTTPStreamClose:
		return nil, h.closeStream(p[0])
	}
	if fn == abi.HTTPStreamStart && h.OpenStreams() >= abi.MaxHTTPStreams {
		return nil, abi.Errorf(abi.CodeLimit, "HTTP stream cap reached (%d/%d)", abi.MaxHTTPStreams, abi.MaxHTTPStreams)
	}
	if h.Client != nil {
		return h.liveHTTP(fn, p[0])
	}
	rec, err := h.roundTrip(fn, p[0])
	if err != nil {
		return nil, err
	}
	headers := map[string]string{}
	for name, values := range rec.Result().Header {
		headers[strings.ToLower(name)] = values[len(values)-1]
	}
	if fn == abi.HTTPRequestFn {
		return json.Marshal(abi.HTTPResponse{Status: uint16(rec.Code), Headers: headers, Body: rec.Body.String()})
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.nextHTTP++
	h.streams[h.nextHTTP] = &stream{chunks: rec.split()}
	return json.Marshal(abi.HTTPStream{Handle: strconv.FormatUint(h.nextHTTP, 10), Status: uint16(rec.Code), Headers: headers})
}

func (h *Host) roundTrip(fn abi.Function, raw string) (*chunked, error) {
	var req abi.HTTPRequest
	if err := request(fn, raw, &req); err != nil {
		return nil, err
	}
	if h.HTTP == nil {
		return nil, unscripted(fn, "Host.HTTP")
	}
	body := ""
	if req.Body != nil {
		body = *req.Body
	}
	r, err := http.NewRequest(req.Method, req.URL, strings.NewReader(body))
	if err != nil {
		return nil, abi.Errorf(abi.CodeInvalid, "%s: %v", fn, err)
	}
	for k, v := range req.Headers {
		r.Header.Set(k, v)
	}
	r.RequestURI = r.URL.RequestURI() // as a server sees it
	rec := &chunked{ResponseRecorder: httptest.NewRecorder()}
	h.HTTP.ServeHTTP(rec, r)
	return rec, nil
}

func (h *Host) readStream(text string) ([]byte, error) {
	read := abi.HTTPStreamNext{Handle: text}
	if strings.HasPrefix(text, "{") {
		read = abi.HTTPStreamNext{}
		if err := request(abi.HTTPStreamRead, text, &read); err != nil {
			return nil, err
		}
	}
	id, err := number(read.Handle)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	s := h.streams[id]
	if s == nil {
		h.mu.Unlock()
		return nil, abi.Errorf(abi.CodeHandle, "HTTP stream handle %d not found", id)
	}
	if h.hasMessage(read.Until) {
		h.mu.Unlock()
		return nil, abi.Errorf(abi.CodeCanceled, "a message waits: the read was interrupted")
	}
	if s.body != nil {
		h.mu.Unlock()
		return s.body.read(func() bool {
			h.mu.Lock()
			defer h.mu.Unlock()
			return h.hasMessage(read.Until)
		})
	}
	defer h.mu.Unlock()
	if len(s.chunks) == 0 {
		return nil, nil
	}
	c := s.chunks[0]
	s.chunks = s.chunks[1:]
	return c, nil
}

// hasMessage tells whether a message waits at a subscription.
func (h *Host) hasMessage(handle string) bool {
	if handle == "" {
		return false
	}
	id, err := number(handle)
	return err == nil && h.subs[id] != nil && len(h.subs[id].queue) > 0
}

func (h *Host) closeStream(text string) error {
	end := abi.HTTPStreamEnd{Handle: text}
	if strings.HasPrefix(text, "{") {
		end = abi.HTTPStreamEnd{}
		if err := request(abi.HTTPStreamClose, text, &end); err != nil {
			return err
		}
	}
	id, err := number(end.Handle)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.streams[id] != nil && end.CostUSD != nil {
		h.costs = append(h.costs, *end.CostUSD)
	}
	if s := h.streams[id]; s != nil && s.body != nil {
		s.body.close()
	}
	delete(h.streams, id)
	return nil
}
