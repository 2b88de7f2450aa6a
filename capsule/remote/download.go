package remote

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// StatusError is an answer that is no file.
type StatusError struct {
	URL    string
	Status int
}

func (e *StatusError) Error() string {
	text := fmt.Sprintf("%s: the server answers %d %s", e.URL, e.Status, http.StatusText(e.Status))
	if e.Status == http.StatusForbidden || e.Status == http.StatusTooManyRequests {
		text += ": it may be limiting requests; try again later"
	}
	return text
}

// Is makes a missing file ErrNotFound.
func (e *StatusError) Is(target error) bool {
	return target == ErrNotFound && (e.Status == http.StatusNotFound || e.Status == http.StatusGone)
}

// get writes what is at u to w: at most limit bytes, complete, and not too slowly.
func (c *Client) get(ctx context.Context, u *url.URL, w io.Writer, limit int64) error {
	ctx, cancel := context.WithTimeoutCause(ctx, maxTotal, fmt.Errorf("%w: not complete after %s", ErrSlow, maxTotal))
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	res, err := c.open(ctx, http.MethodGet, u)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.ContentLength > limit {
		return fmt.Errorf("%s: it has %d bytes, at most %d are taken", u.Redacted(), res.ContentLength, limit)
	}
	idle := time.AfterFunc(c.o.Idle, func() {
		stop(fmt.Errorf("%w: nothing arrived for %s", ErrSlow, c.o.Idle))
	})
	defer idle.Stop()
	p := &progress{w: w, total: res.ContentLength, idle: idle, every: c.o.Idle, report: c.o.Progress}
	n, err := io.Copy(p, io.LimitReader(res.Body, limit+1))
	switch {
	case err != nil && context.Cause(ctx) != nil:
		return fmt.Errorf("%s: %w (%d bytes were there)", u.Redacted(), context.Cause(ctx), n)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%s: the download ended early, after %d of %d bytes; try again", u.Redacted(), n, res.ContentLength)
	case err != nil:
		return fmt.Errorf("%s: the download ended early: %w; try again", u.Redacted(), err)
	case n > limit:
		return fmt.Errorf("%s: it is larger than the %d bytes that are taken", u.Redacted(), limit)
	}
	return nil
}

// open asks for u and returns the answer if it is a file.
func (c *Client) open(ctx context.Context, method string, u *url.URL) (*http.Response, error) {
	if c.o.Offline {
		return nil, fmt.Errorf("%s: %w (--offline)", u.Redacted(), ErrOffline)
	}
	if err := c.allowed(u); err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "astrid")
	res, err := c.http.Do(req)
	if err != nil {
		return nil, c.explain(ctx, u, err)
	}
	if res.StatusCode != http.StatusOK {
		res.Body.Close()
		return nil, &StatusError{URL: u.Redacted(), Status: res.StatusCode}
	}
	return res, nil
}

func (c *Client) explain(ctx context.Context, u *url.URL, err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	var t net.Error
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case errors.As(err, &t) && t.Timeout():
		err = fmt.Errorf("%w: no answer within %s", ErrSlow, c.o.Idle)
	}
	return fmt.Errorf("%s: %w", u.Redacted(), err)
}

// progress puts the timer back with each piece and reports.
type progress struct {
	w           io.Writer
	done, total int64
	idle        *time.Timer
	every       time.Duration
	report      func(done, total int64)
}

func (p *progress) Write(b []byte) (int, error) {
	p.idle.Reset(p.every)
	n, err := p.w.Write(b)
	p.done += int64(n)
	if p.report != nil {
		p.report(p.done, p.total)
	}
	return n, err
}

// getText fetches a small file.
func (c *Client) getText(ctx context.Context, u *url.URL, limit int64) ([]byte, error) {
	quiet := *c
	quiet.o.Progress = nil
	var b strings.Builder
	err := quiet.get(ctx, u, &b, limit)
	return []byte(b.String()), err
}

// verified fetches a file that must have a checksum.
func (c *Client) verified(ctx context.Context, u *url.URL, w io.Writer, limit int64, want Checksum) error {
	h := want.hasher()
	if err := c.get(ctx, u, io.MultiWriter(w, h), limit); err != nil {
		return err
	}
	if have := hexOf(h); have != want.Hex {
		return fmt.Errorf("%s: %w: it has %s %s, announced is %s; it was changed or damaged on its way, nothing of it is used",
			u.Redacted(), ErrChecksum, want.Algorithm, have, want.Hex)
	}
	return nil
}

func hexOf(h hash.Hash) string { return fmt.Sprintf("%x", h.Sum(nil)) }
