package host

import (
	"context"
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
	ctx       context.Context // of the body; its cause says why it ended early
	cancel    context.CancelCauseFunc
	resp      *http.Response
	principal string // for whom it was opened: calls for others do not find it
	grant     approval.Grant
	idle      time.Duration
	buf       []byte
	left      chan chunk // of a read that was interrupted; the next one takes what it brings
	once      sync.Once
}

// chunk is what one read of a body brought.
type chunk struct {
	data []byte // none and no error: the end
	err  error
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
		action: f.requestAction(r.method, r.url, len(r.body), r.cost),
		bounds: f.inst.capsule.Bounds.netPermit(r.url),
		holds:  true,
		do: func(ctx context.Context, g approval.Grant) ([]byte, error) {
			// The body outlives this host call but not the guest call's cancellation of reads;
			// each read ties itself to its own call.
			sctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
			stop := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
			defer stop()
			timer := time.AfterFunc(h.svc.HTTP.Timeout, func() {
				cancel(abi.Errorf(abi.CodeTimeout, "no answer within %s", h.svc.HTTP.Timeout))
			})
			defer timer.Stop()
			resp, err := h.send(sctx, f, abi.HTTPStreamStart, r)
			if err != nil {
				cancel(err)
				return nil, err
			}
			s := &httpStream{
				ctx: sctx, cancel: cancel, resp: resp, principal: f.call.Principal, grant: g,
				idle: h.svc.HTTP.StreamIdle, buf: make([]byte, streamChunk),
			}
			id, err := f.inst.addStream(s)
			if err != nil {
				cancel(err)
				_ = resp.Body.Close()
				return nil, err
			}
			return encode(abi.HTTPStream{
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

// streamRead takes the handle as text, or a record that also names a subscription: then a
// message that waits there interrupts the read.
func (h *Host) streamRead(ctx context.Context, f *frame, args [][]byte) ([]byte, error) {
	read := abi.HTTPStreamNext{Handle: string(args[0])}
	if len(args[0]) > 0 && args[0][0] == '{' {
		read = abi.HTTPStreamNext{}
		if err := decode(args[0], &read, "stream read"); err != nil {
			return nil, err
		}
	}
	id, err := strconv.ParseUint(read.Handle, 10, 64)
	if err != nil {
		return nil, abi.Errorf(abi.CodeInvalid, "invalid HTTP stream handle: %q", args[0])
	}
	s := f.stream(id, false)
	if s == nil {
		return nil, abi.Errorf(abi.CodeHandle, "HTTP stream handle %d not found", id)
	}
	var until *subscription
	if read.Until != "" {
		if _, until, err = f.subscription([]byte(read.Until)); err != nil {
			return nil, err
		}
	}
	return s.read(ctx, until)
}

// stream finds an open stream of the call's principal; with take, it is forgotten.
func (f *frame) stream(id uint64, take bool) *httpStream {
	f.inst.mu.Lock()
	defer f.inst.mu.Unlock()
	s := f.inst.streams[id]
	if s == nil || s.principal != f.call.Principal {
		return nil
	}
	if take {
		delete(f.inst.streams, id)
	}
	return s
}

// read returns the next bytes as they arrive; none means the end.
func (s *httpStream) read(ctx context.Context, until *subscription) ([]byte, error) {
	timer := time.AfterFunc(s.idle, func() {
		s.cancel(abi.Errorf(abi.CodeTimeout, "HTTP stream read timed out after %s", s.idle))
	})
	defer timer.Stop()
	stop := context.AfterFunc(ctx, func() { s.cancel(context.Cause(ctx)) })
	defer stop()
	if until == nil && s.left == nil {
		c := s.next()
		return c.data, c.err
	}
	return s.readUntil(ctx, until)
}

// readUntil gives up when a message waits at until. What the body brings then is kept.
func (s *httpStream) readUntil(ctx context.Context, until *subscription) ([]byte, error) {
	if s.left == nil {
		left := make(chan chunk, 1)
		s.left = left
		go func() { left <- s.next() }()
	}
	var interrupt chan error
	if until != nil {
		wctx, done := context.WithCancel(ctx)
		defer done()
		interrupt = make(chan error, 1)
		go func() { interrupt <- until.Wait(wctx) }()
	}
	select {
	case c := <-s.left:
		s.left = nil
		return c.data, c.err
	case err := <-interrupt:
		if err == nil {
			return nil, abi.Errorf(abi.CodeCanceled, "a message waits: the read was interrupted")
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, abi.Errorf(abi.CodeClosed, "subscription is closed: the capsule is being unloaded")
	}
}

// next reads the body once.
func (s *httpStream) next() chunk {
	for {
		n, err := s.resp.Body.Read(s.buf)
		switch {
		case n > 0: // an error that came with bytes is met again at the next read
			return chunk{data: append([]byte(nil), s.buf[:n]...)}
		case errors.Is(err, io.EOF):
			return chunk{}
		case err != nil:
			return chunk{err: netError(s.ctx, "HTTP stream read error", err)}
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
	if c := end.CostUSD; c != nil {
		if _, err := approval.FromUSD(*c); err != nil {
			return nil, abi.Errorf(abi.CodeInvalid, "invalid stream close request: cost_usd: %v", err)
		}
	}
	if s := f.stream(id, true); s != nil {
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
