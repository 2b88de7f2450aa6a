package sdktest

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
)

// liveBody is the body of a real answer. One goroutine reads it ahead of the capsule, so
// that a read can be interrupted.
type liveBody struct {
	resp   *http.Response
	chunks chan liveChunk
	quit   chan struct{}
}

type liveChunk struct {
	data []byte
	err  error
}

func newLiveBody(resp *http.Response) *liveBody {
	b := &liveBody{resp: resp, chunks: make(chan liveChunk), quit: make(chan struct{})}
	go func() {
		for {
			buf := make([]byte, 4096)
			n, err := resp.Body.Read(buf)
			if n == 0 && err == nil {
				continue
			}
			c := liveChunk{data: buf[:n]}
			if n == 0 && err != nil && !errors.Is(err, io.EOF) {
				c.err = abi.Errorf(abi.CodeIO, "HTTP stream read error: %v", err)
			}
			select {
			case b.chunks <- c:
			case <-b.quit:
				return
			}
			if n == 0 && err != nil {
				close(b.chunks)
				return
			}
		}
	}()
	return b
}

// read waits for bytes until interrupted says that there is something else to do.
func (b *liveBody) read(interrupted func() bool) ([]byte, error) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case c := <-b.chunks:
			return c.data, c.err
		case <-tick.C:
			if interrupted() {
				return nil, abi.Errorf(abi.CodeCanceled, "a message waits: the read was interrupted")
			}
		}
	}
}

func (b *liveBody) close() {
	close(b.quit)
	_ = b.resp.Body.Close() // given up on
}

// liveHTTP sends a request with the test's client.
func (h *Host) liveHTTP(fn abi.Function, raw string) ([]byte, error) {
	var req abi.HTTPRequest
	if err := request(fn, raw, &req); err != nil {
		return nil, err
	}
	var body io.Reader
	if req.Body != nil {
		body = strings.NewReader(*req.Body)
	}
	r, err := http.NewRequest(req.Method, req.URL, body)
	if err != nil {
		return nil, abi.Errorf(abi.CodeInvalid, "%s: %v", fn, err)
	}
	for k, v := range req.Headers {
		r.Header.Set(k, v)
	}
	resp, err := h.Client.Do(r)
	if err != nil {
		return nil, abi.Errorf(abi.CodeIO, "http request failed: %v", err)
	}
	headers := map[string]string{}
	for name, values := range resp.Header {
		headers[strings.ToLower(name)] = values[len(values)-1]
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reserved = append(h.reserved, req.CostUSD)
	if fn == abi.HTTPStreamStart {
		h.nextHTTP++
		h.streams[h.nextHTTP] = &stream{body: newLiveBody(resp)}
		return json.Marshal(abi.HTTPStream{Handle: strconv.FormatUint(h.nextHTTP, 10), Status: uint16(resp.StatusCode), Headers: headers})
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, abi.Errorf(abi.CodeIO, "failed to read http response body: %v", err)
	}
	return json.Marshal(abi.HTTPResponse{Status: uint16(resp.StatusCode), Headers: headers, Body: string(text)})
}

// Reserved are the costs that the capsule named for its requests, in US dollars, in order.
// Only those sent with [Host.Client] count.
func (h *Host) Reserved() []float64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]float64(nil), h.reserved...)
}
