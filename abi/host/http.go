package host

import (
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"golang.org/x/net/http/httpguts"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
)

// maxRedirects is how many redirects are followed; each is decided like a request of its own.
const maxRedirects = 10

var methods = map[string]bool{
	http.MethodGet: true, http.MethodPost: true, http.MethodPut: true, http.MethodDelete: true,
	http.MethodPatch: true, http.MethodHead: true, http.MethodOptions: true,
}

// request is a decoded and checked HTTP request of a guest.
type request struct {
	method  string
	url     *url.URL
	headers http.Header
	body    string
	hasBody bool
	cost    float64
}

func decodeHTTP(raw []byte) (*request, error) {
	var in abi.HTTPRequest
	if err := decode(raw, &in, "http"); err != nil {
		return nil, err
	}
	u, err := url.Parse(in.URL)
	if err != nil {
		return nil, abi.Errorf(abi.CodeInvalid, "invalid url: %v", err)
	}
	u.Host = strings.TrimSuffix(u.Host, ":") // an empty port, which others leave out
	if err := checkURL(u); err != nil {
		return nil, err
	}
	r := &request{method: strings.ToUpper(in.Method), url: u, headers: make(http.Header), cost: in.CostUSD}
	if r.method == "" {
		r.method = http.MethodGet
	}
	if !methods[r.method] {
		return nil, abi.Errorf(abi.CodeInvalid, "unsupported http method: %s", in.Method)
	}
	if r.cost < 0 || math.IsNaN(r.cost) || math.IsInf(r.cost, 0) {
		return nil, abi.Errorf(abi.CodeInvalid, "cost_usd must not be negative")
	}
	for k, v := range in.Headers {
		if !httpguts.ValidHeaderFieldName(k) {
			return nil, abi.Errorf(abi.CodeInvalid, "invalid header name %q", k)
		}
		if !httpguts.ValidHeaderFieldValue(v) {
			return nil, abi.Errorf(abi.CodeInvalid, "invalid value of header %s", k)
		}
		r.headers.Set(k, v)
	}
	if in.Body != nil {
		r.body, r.hasBody = *in.Body, true
	}
	return r, nil
}

// checkURL refuses what no request may be sent to, whoever named it.
func checkURL(u *url.URL) error {
	bad := func(format string, args ...any) error {
		return abi.Errorf(abi.CodeInvalid, "invalid url %s: %s", u.Redacted(), fmt.Sprintf(format, args...))
	}
	switch host := u.Hostname(); {
	case u.Scheme != "http" && u.Scheme != "https":
		return bad("scheme must be http or https")
	case host == "":
		return bad("the host is missing")
	case u.User != nil:
		return bad("put credentials into a header")
	case oddAddress(host):
		return bad("write the address %q in its usual form", host)
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.Atoi(p); err != nil || n < 1 || n > 65535 {
			return bad("port %q", p)
		}
	}
	return nil
}

// oddAddress tells whether a host is a number that some resolvers read as an IPv4
// address (2130706433, 0x7f.1, 127.1, 0177.0.0.1) although it is not written as one.
// No top-level domain is a number, so nothing else is lost.
func oddAddress(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return false
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	last := host[strings.LastIndexByte(host, '.')+1:]
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(last, "0123456789") == ""
}

// netAction describes a request for the gate. The query may hold secrets, so it is left out.
func netAction(method string, u *url.URL, size int, cost float64) approval.Action {
	host, port := strings.ToLower(u.Hostname()), portOf(u)
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	where := originOf(u) + path
	return approval.Action{
		Kind: approval.NetRequest, Resource: "net:" + where,
		Method: method, URL: where, Host: host, Port: port,
		Size: int64(size), CostUSD: cost, Risk: "medium",
	}
}

// originOf is the scheme, host and port of a URL as they are decided about.
func originOf(u *url.URL) string {
	return u.Scheme + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), strconv.Itoa(portOf(u)))
}

// netPermit is the manifest check of a request.
func (b *Bounds) netPermit(u *url.URL) permit {
	return func() (string, error) {
		r, err := b.netRule(u)
		if err != nil {
			return "", err
		}
		return "net " + r.String(), nil
	}
}

func (h *Host) planHTTP(ctx context.Context, f *frame, args [][]byte) (plan, error) {
	r, err := decodeHTTP(args[0])
	if err != nil {
		return plan{}, err
	}
	return plan{
		action: f.requestAction(r.method, r.url, len(r.body), r.cost),
		bounds: f.inst.capsule.Bounds.netPermit(r.url),
		do: func(ctx context.Context, _ approval.Grant) ([]byte, error) {
			limits := &h.svc.HTTP
			ctx, cancel := context.WithTimeoutCause(ctx, limits.Timeout,
				abi.Errorf(abi.CodeTimeout, "no complete answer within %s", limits.Timeout))
			defer cancel()
			resp, err := h.send(ctx, f, abi.HTTPRequestFn, r)
			if err != nil {
				return nil, err
			}
			defer resp.Body.Close()
			body, err := readAll(io.LimitReader(resp.Body, limits.MaxResponse+1))
			switch {
			case err != nil:
				return nil, netError(ctx, "failed to read http response body", err)
			case int64(len(body)) > limits.MaxResponse:
				return nil, abi.Errorf(abi.CodeTooLarge, "failed to read http response body: HTTP response exceeded maximum payload limit (%d bytes)", limits.MaxResponse)
			case !utf8.Valid(body):
				return nil, abi.Errorf(abi.CodeInvalid, "failed to read http response body: response body is not valid UTF-8")
			}
			return encodeResponse(uint16(resp.StatusCode), flatHeaders(resp.Header), body)
		},
	}, nil
}

// send performs a decided request. Redirects are decided anew, each at the gate. Its
// error is marked undone when no connection was made.
func (h *Host) send(ctx context.Context, f *frame, fn abi.Function, r *request) (*http.Response, error) {
	var body io.Reader
	if r.hasBody {
		body = strings.NewReader(r.body)
	}
	var connected atomic.Bool
	tctx := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	req, err := http.NewRequestWithContext(tctx, r.method, r.url.String(), body)
	if err != nil {
		return nil, &undone{abi.Errorf(abi.CodeInvalid, "http request: %v", err)}
	}
	req.Header = r.headers
	req.URL, req.Host = r.url, r.url.Host // the very address that was decided, not another reading of its text
	var tr http.RoundTripper = f.inst.capsule.Bounds.transport()
	if h.svc.Transport != nil {
		tr = h.svc.Transport
	}
	client := &http.Client{Transport: tr, CheckRedirect: func(next *http.Request, via []*http.Request) error {
		return h.redirect(ctx, f, fn, r, next, via)
	}}
	resp, err := client.Do(req)
	if err != nil {
		e := netError(ctx, "http request failed", err)
		if !connected.Load() {
			return nil, &undone{e}
		}
		return nil, e
	}
	return resp, nil
}

func (h *Host) redirect(ctx context.Context, f *frame, fn abi.Function, r *request, next *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return abi.Errorf(abi.CodeLimit, "stopped after %d redirects", maxRedirects)
	}
	if err := checkURL(next.URL); err != nil {
		return abi.Errorf(abi.CodeDenied, "redirect refused: %v", err)
	}
	// A key meant for one host must not reach another. net/http drops only the headers it
	// knows to be secret, and API keys have many names; it copies them from the first
	// request at each hop, so a request that left its origin has left it for good.
	crossed := !sameOrigin(r.url, next.URL)
	for _, hop := range via {
		crossed = crossed || !sameOrigin(r.url, hop.URL)
	}
	if crossed {
		for k := range r.headers {
			if k != "Content-Type" && k != "Accept" {
				next.Header.Del(k)
			}
		}
	}
	next.Header.Del("Referer") // it would carry the query, where keys are too
	size := 0
	if next.GetBody != nil {
		size = len(r.body)
	}
	a := f.requestAction(next.Method, next.URL, size, 0)
	a.Class, a.Function = approval.Guarded, fn.String()
	workspace, err := h.svc.Files.WorkspaceOf(ctx, f.call.Principal, f.call.Session)
	if err != nil {
		return err
	}
	grant, err := h.svc.Gate.Intercept(ctx, f.subject(f.inst.capsule.Bounds.netPermit(next.URL), workspace), a)
	if err != nil {
		return fmt.Errorf("redirect to %s: %w", a.URL, err)
	}
	// How it ends is the outcome of the request that was redirected.
	return grant.Settle(ctx, approval.Outcome{})
}

func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && portOf(a) == portOf(b)
}

// flatHeaders gives each header its last value, names in lower case.
func flatHeaders(h http.Header) map[string]string {
	m := make(map[string]string, len(h))
	for k, v := range h {
		if last := v[len(v)-1]; utf8.ValidString(last) {
			m[strings.ToLower(k)] = last
		}
	}
	return m
}
