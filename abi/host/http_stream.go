package host

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
)

// streamChunk is the most one astrid_http_stream_read returns, in bytes.
const streamChunk = 64 << 10

// httpStream is an open response body. Its grant is settled when it ends.
type httpStream struct {
	resp   *http.Response
	cancel context.CancelCauseFunc
	grant  approval.Grant
	buf    []byte
	once   sync.Once
}

func (h *Host) planHTTPStream(_ context.Context, f *frame, args [][]byte) (plan, error) {
	r, err := decodeHTTP(args[0])
	if err != nil {
		return plan{}, err
	}
	if n := f.inst.openStreams(); n >= abi.MaxHTTPStreams {
		return plan{}, abi.Errorf(abi.CodeLimit, "HTTP stream cap reached (%d/%d)", n, abi.MaxHTTPStreams)
	}
	return plan{
		action: netAction(r.method, r.url, len(r.body), r.cost),
		bounds: f.inst.capsule.Bounds.netPermit(r.url),
		holds:  true,
		do: func(ctx context.Context, g approval.Grant) ([]byte, error) {
			// The body outlives this host call but not the guest call's cancellation of reads;
			// each read ties itself to its own call.
			sctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
			stop := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
			defer stop()
			resp, err := h.send(sctx, f, r)
			if err != nil {
				cancel(err)
				return nil, err
			}
			s := &httpStream{resp: resp, cancel: cancel, grant: g, buf: make([]byte, streamChunk)}
			id, err := f.inst.addStream(s)
			if err != nil {
				cancel(err)
				_ = resp.Body.Close()
				return nil, err
			}
			return json.Marshal(abi.HTTPStream{
				Handle: strconv.FormatUint(id, 10), Status: uint16(resp.StatusCode), Headers: flatHeaders(resp.Header),
			})
		},
	}, nil
}

func (i *Instance) openStreams() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.streams)
}

func (i *Instance) addStream(s *httpStream) (uint64, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed {
		return 0, abi.Errorf(abi.CodeCanceled, "capsule is being unloaded")
	}
	i.nextHTTP++
	i.streams[i.nextHTTP] = s
	return i.nextHTTP, nil
}

func (h *Host) streamRead(ctx context.Context, f *frame, args [][]byte) ([]byte, error) {
	id, err := strconv.ParseUint(string(args[0]), 10, 64)
	if err != nil {
		return nil, abi.Errorf(abi.CodeInvalid, "invalid HTTP stream handle: %q", args[0])
	}
	f.inst.mu.Lock()
	s := f.inst.streams[id]
	f.inst.mu.Unlock()
	if s == nil {
		return nil, abi.Errorf(abi.CodeHandle, "HTTP stream handle %d not found", id)
	}
	return s.read(ctx)
}

var errChunkTimeout = abi.Errorf(abi.CodeTimeout, "HTTP stream read timed out after %s", abi.HTTPChunkTimeout)

// read returns the next bytes as they arrive; none means the end.
func (s *httpStream) read(ctx context.Context) ([]byte, error) {
	timer := time.AfterFunc(abi.HTTPChunkTimeout, func() { s.cancel(errChunkTimeout) })
	defer timer.Stop()
	stop := context.AfterFunc(ctx, func() { s.cancel(context.Cause(ctx)) })
	defer stop()
	for {
		n, err := s.resp.Body.Read(s.buf)
		switch {
		case n > 0: // an error that came with bytes is met again at the next read
			return append([]byte(nil), s.buf[:n]...), nil
		case errors.Is(err, io.EOF):
			return nil, nil
		case err != nil:
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			return nil, netError("HTTP stream read error", err)
		}
	}
}

// streamClose takes the handle as text, or a record that also settles the cost.
func (h *Host) streamClose(ctx context.Context, f *frame, args [][]byte) ([]byte, error) {
	end := abi.HTTPStreamEnd{Handle: string(args[0])}
	if len(args[0]) > 0 && args[0][0] == '{' {
		end = abi.HTTPStreamEnd{}
		if err := decode(args[0], &end, "stream close"); err != nil {
			return nil, err
		}
	}
	id, err := strconv.ParseUint(end.Handle, 10, 64)
	if err != nil {
		return nil, abi.Errorf(abi.CodeInvalid, "invalid HTTP stream handle: %q", end.Handle)
	}
	f.inst.mu.Lock()
	s := f.inst.streams[id]
	delete(f.inst.streams, id)
	f.inst.mu.Unlock()
	if s != nil {
		s.end(ctx, end.CostUSD)
	}
	return nil, nil // closing twice is fine
}

// end closes the body and settles the grant, with the true cost if the guest told it.
func (s *httpStream) end(ctx context.Context, cost *float64) {
	s.once.Do(func() {
		s.cancel(abi.Errorf(abi.CodeClosed, "HTTP stream is closed"))
		_ = s.resp.Body.Close() // the body was read or given up; its error says nothing new
		o := approval.Outcome{}
		if cost != nil {
			o.CostUSD, o.HasCost = *cost, true
		}
		if err := s.grant.Settle(context.WithoutCancel(ctx), o); err != nil {
			slog.Error("Outcome was not recorded", "function", abi.HTTPStreamStart.String(), "error", err)
		}
	})
}
