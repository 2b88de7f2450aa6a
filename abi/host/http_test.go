package host

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/audit"
)

// site is a loopback server and the rule that names it exactly.
type site struct {
	*httptest.Server
	rule netRule
}

func serve(t *testing.T, h http.HandlerFunc) site {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	u, err := url.Parse(srv.URL)
	must(t, err)
	port, err := strconv.Atoi(u.Port())
	must(t, err)
	return site{srv, netRule{u.Hostname(), port, true}}
}

// surfer is a guest that may reach the sites.
func (r *rig) surfer(rules ...NetRule) *guest {
	g := r.guest(newCapsule(Grants{Net: rules, Source: "Capsule.toml:7"}))
	r.t.Cleanup(g.inst.capsule.Bounds.transport().CloseIdleConnections)
	return g
}

func reqJSON(u string, more ...string) string {
	return fmt.Sprintf(`{"url":%q%s}`, u, strings.Join(append([]string{""}, more...), ","))
}

func (g *guest) get(u string, more ...string) abi.HTTPResponse {
	g.t.Helper()
	out, err := g.do(abi.HTTPRequestFn, reqJSON(u, more...))
	if err != nil {
		g.t.Fatalf("%s: %s", err.Code, err.Message)
	}
	var resp abi.HTTPResponse
	must(g.t, json.Unmarshal(out, &resp))
	return resp
}

func TestHTTP(t *testing.T) {
	var got *http.Request
	s := serve(t, func(w http.ResponseWriter, req *http.Request) {
		got = req
		w.Header().Add("X-Twice", "1")
		w.Header().Add("X-Twice", "2")
		w.Header().Set("X-Bytes", "\xff")
		w.WriteHeader(418)
		_, _ = w.Write([]byte("h\u00e9llo"))
	})
	r := newRig(t, autonomous())
	g := r.surfer(s.rule)
	resp := g.get(s.URL+"/p?q=1", `"method":"post"`, `"headers":{"X-Key":"k","Host":"evil.test"}`, `"body":"data"`)
	if _, ok := resp.Headers["x-bytes"]; resp.Status != 418 || resp.Body != "h\u00e9llo" || resp.Headers["x-twice"] != "2" || ok {
		t.Errorf("%+v", resp)
	}
	if got.Method != "POST" || got.Header.Get("X-Key") != "k" || strings.Contains(got.Host, "evil") || got.URL.RawQuery != "q=1" || got.ContentLength != 4 {
		t.Errorf("%+v", got)
	}
}

func TestHTTPRefused(t *testing.T) {
	r := newRig(t, autonomous())
	g := r.surfer(netRule{host: "*"})
	for _, c := range []struct {
		req  string
		code abi.Code
		text string
	}{
		{`{`, abi.CodeInvalid, "http"},
		{`null`, abi.CodeInvalid, "want an object"},
		{`{"url":1}`, abi.CodeInvalid, "url must be a string"},
		{`{"url":"https://a.test","URL":"https://b.test","url":"https://c.test"}`, abi.CodeInvalid, "given twice"},
		{`{"url":"https://a.test","headers":null}`, abi.CodeInvalid, "must not be null"},
		{reqJSON("file:///etc/passwd"), abi.CodeInvalid, "scheme"},
		{reqJSON("gopher://a.test/"), abi.CodeInvalid, "scheme"},
		{reqJSON("http:a.test"), abi.CodeInvalid, "host is missing"},
		{reqJSON("http:///p"), abi.CodeInvalid, "host is missing"},
		{reqJSON("https://u:pw@a.test/"), abi.CodeInvalid, "credentials"},
		{reqJSON("https://a.test:0/"), abi.CodeInvalid, "port"},
		{reqJSON("https://a.test:65536/"), abi.CodeInvalid, "port"},
		{reqJSON("https://a.test/\x7f"), abi.CodeInvalid, ""},
		{reqJSON("https://a.test/", `"method":"TRACE"`), abi.CodeInvalid, "method"},
		{reqJSON("https://a.test/", `"method":"GET / HTTP/1.1\r\nX: y"`), abi.CodeInvalid, "method"},
		{reqJSON("https://a.test/", `"cost_usd":-1`), abi.CodeInvalid, "cost"},
		{reqJSON("https://a.test/", `"headers":{"X-A":"1\r\nX-B: 2"}`), abi.CodeInvalid, "X-A"},
		{reqJSON("https://a.test/", `"headers":{"X A":"1"}`), abi.CodeInvalid, "header name"},
		{reqJSON("https://a.test/", `"headers":{"":"1"}`), abi.CodeInvalid, "header name"},
		{reqJSON("https://a.test/", `"headers":{"X:y\r\nZ":"1"}`), abi.CodeInvalid, "header name"},
		{reqJSON("http://[fe80::1%25eth0]/"), abi.CodeDenied, ""},
		{reqJSON("http://ex\u00e4mple.test/"), abi.CodeDenied, "xn--"},
	} {
		g.refused(c.code, c.text, abi.HTTPRequestFn, c.req)
		g.refused(c.code, c.text, abi.HTTPStreamStart, c.req)
	}
	g.refused(abi.CodeTooLarge, "request", abi.HTTPRequestFn, strings.Repeat(" ", abi.MaxValue+1))
}

// TestPrivateAddresses: however it is written, an address of this machine or network
// needs a rule that names it exactly.
func TestPrivateAddresses(t *testing.T) {
	hit := false
	s := serve(t, func(http.ResponseWriter, *http.Request) { hit = true })
	r := newRig(t, rigOptions{rules: approval.Rules{Mode: approval.Autonomous}, limits: approval.Limits{SessionMax: 1_000_000}})
	any, port := netRule{host: "*"}, s.rule.port
	g := r.surfer(any, netRule{"127.0.0.1", 0, false})
	for _, host := range []string{
		"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::1]", "[::]", "0.0.0.0", "[64:ff9b::7f00:1]",
		"2130706433", "0x7f.1", "0x7f000001", "127.1", "0177.0.0.1", "127.0.0.1.", "017700000001",
	} {
		_, err := g.do(abi.HTTPRequestFn, reqJSON(fmt.Sprintf("http://%s:%d/", host, port), `"cost_usd":0.9`))
		if err == nil || (err.Code != abi.CodeDenied && err.Code != abi.CodeInvalid) {
			t.Errorf("%s: %v", host, err)
		}
	}
	if hit {
		t.Error("the server was reached")
	}
	// None of them spent the budget of 1 USD, and nobody would have been asked: what can never be dialled
	// is not worth a decision.
	for _, e := range r.decisions("default") {
		if e.Layer != approval.LayerManifest {
			t.Errorf("decided by %s: %s", e.Layer, e.Line())
		}
	}
	g = r.surfer(any, s.rule)
	if g.get(s.URL).Status != 200 || !hit {
		t.Error("an exact rule does not open the address")
	}
}

func TestRefusedAddr(t *testing.T) {
	for addr, want := range map[string]bool{
		"8.8.8.8": false, "1.1.1.1": false, "2606:4700::1111": false, "172.32.0.1": false, "192.169.0.1": false,
		"10.1.2.3": true, "100.64.0.1": true, "169.254.169.254": true, "172.31.0.1": true, "192.168.0.1": true,
		"198.18.0.1": true, "224.0.0.1": true, "255.255.255.255": true, "0.1.2.3": true, "192.0.0.1": true,
		"::ffff:10.0.0.1": true, "::10.0.0.1": true, "::ffff:0:10.0.0.1": true, "64:ff9b::a00:1": true, "2002:a00:1::": true,
		"fd00::1": true, "fe80::1%eth0": true, "fec0::1": true, "ff02::1": true, "2001:0:1::": true,
	} {
		if got := PrivateAddress(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: refused %v, want %v", addr, got, want)
		}
	}
}

// TestOpens: what an exact rule opens depends on what was named.
func TestOpens(t *testing.T) {
	b := NewBounds("guest", Grants{Net: []NetRule{
		netRule{"lan.test", 80, true}, netRule{"localhost", 80, true}, netRule{"dev.localhost", 80, true},
		netRule{"127.0.0.1", 80, true}, netRule{"169.254.169.254", 80, true}, netRule{"*", 0, false},
	}})
	for _, c := range []struct {
		host string
		port int
		ip   string
		want bool
	}{
		{"any.test", 80, "8.8.8.8", true},
		{"any.test", 80, "10.0.0.1", false},
		{"lan.test", 80, "10.0.0.1", true},
		{"lan.test", 80, "::ffff:10.0.0.1", true},
		{"lan.test", 80, "100.64.0.1", true},
		{"lan.test", 80, "fd00::1", true},
		{"lan.test", 81, "10.0.0.1", false},
		{"lan.test", 80, "127.0.0.1", false}, // a name of somebody else's, pointed at this machine
		{"lan.test", 80, "::1", false},
		{"lan.test", 80, "169.254.169.254", false},
		{"lan.test", 80, "0.0.0.0", false},
		{"localhost", 80, "127.0.0.1", true},
		{"localhost", 80, "::1", true},
		{"localhost", 80, "169.254.169.254", false},
		{"dev.localhost", 80, "127.0.0.1", true},
		{"127.0.0.1", 80, "127.0.0.1", true},
		{"169.254.169.254", 80, "169.254.169.254", true},
	} {
		if got := b.opens(c.host, c.port, netip.MustParseAddr(c.ip)); got != c.want {
			t.Errorf("%s:%d at %s: %v, want %v", c.host, c.port, c.ip, got, c.want)
		}
	}
}

// TestRedirects: each hop is decided by itself, and a key stays with the origin it was meant for.
func TestRedirects(t *testing.T) {
	var headers []http.Header
	var bodies []int64
	var other, third site
	record := func(req *http.Request) {
		headers = append(headers, req.Header)
		bodies = append(bodies, req.ContentLength)
	}
	first := serve(t, func(w http.ResponseWriter, req *http.Request) {
		record(req)
		switch req.URL.Path {
		case "/same":
			http.Redirect(w, req, "/end", http.StatusFound)
		case "/away":
			http.Redirect(w, req, other.URL+"/hop?key=leak", http.StatusTemporaryRedirect)
		case "/loop":
			http.Redirect(w, req, "/loop", http.StatusFound)
		case "/third":
			http.Redirect(w, req, third.URL, http.StatusFound)
		case "/scheme":
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(http.StatusFound)
		case "/user":
			http.Redirect(w, req, strings.Replace(other.URL, "http://", "http://u:p@", 1), http.StatusFound)
		case "/number":
			http.Redirect(w, req, fmt.Sprintf("http://2130706433:%d/", other.rule.port), http.StatusFound)
		}
	})
	other = serve(t, func(w http.ResponseWriter, req *http.Request) {
		record(req)
		switch req.URL.Path {
		case "/hop":
			http.Redirect(w, req, "/hop2", http.StatusTemporaryRedirect)
		case "/hop2":
			http.Redirect(w, req, first.URL+"/end", http.StatusTemporaryRedirect)
		}
	})
	third = serve(t, func(_ http.ResponseWriter, req *http.Request) {
		record(req)
		t.Error("an address that is not declared was reached")
	})
	r := newRig(t, autonomous())
	g := r.surfer(first.rule, other.rule)
	key := `"headers":{"X-Api-Key":"sk","Authorization":"Bearer sk","Cookie":"c=sk"}`
	leaks := func(h http.Header) bool {
		return h.Get("X-Api-Key") != "" || h.Get("Authorization") != "" || h.Get("Cookie") != ""
	}

	g.get(first.URL+"/same?key=leak", key)
	if len(headers) != 2 || !leaks(headers[1]) || headers[1].Get("Referer") != "" {
		t.Errorf("same origin: %v", headers)
	}
	if n := len(r.decisions("default")); n != 2 {
		t.Errorf("%d decisions for two hops", n)
	}

	headers, bodies = nil, nil
	g.get(first.URL+"/away?key=leak", key, `"method":"POST"`, `"body":"data"`)
	if len(headers) != 4 || bodies[3] != 4 {
		t.Fatalf("%d hops, bodies %v", len(headers), bodies)
	}
	for i, h := range headers[1:] {
		if leaks(h) || h.Get("Referer") != "" {
			t.Errorf("hop %d got %v", i+1, h)
		}
	}

	g.refused(abi.CodeLimit, "10 redirects", abi.HTTPRequestFn, reqJSON(first.URL+"/loop"))
	g.refused(abi.CodeDenied, "not declared", abi.HTTPRequestFn, reqJSON(first.URL+"/third"))
	g.refused(abi.CodeDenied, "not declared", abi.HTTPStreamStart, reqJSON(first.URL+"/third"))
	g.refused(abi.CodeDenied, "scheme", abi.HTTPRequestFn, reqJSON(first.URL+"/scheme"))
	g.refused(abi.CodeDenied, "credentials", abi.HTTPRequestFn, reqJSON(first.URL+"/user"))
	g.refused(abi.CodeDenied, "usual form", abi.HTTPRequestFn, reqJSON(first.URL+"/number"))
	var layers []string
	for _, e := range r.decisions("default") {
		if e.Verdict == audit.Deny {
			layers = append(layers, e.Function+" "+e.Layer)
		}
		if strings.Contains(string(e.Line()), "leak") {
			t.Errorf("a query is in the audit log: %s", e.Line())
		}
	}
	if got := strings.Join(layers, ", "); got != "astrid_http_request manifest, astrid_http_stream_start manifest" {
		t.Errorf("recorded refusals: %s", got)
	}
}

// TestRedirectToPrivate: a public site cannot send a request to this machine.
func TestRedirectToPrivate(t *testing.T) {
	inner := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the inner server was reached") })
	outer := serve(t, func(w http.ResponseWriter, req *http.Request) { http.Redirect(w, req, inner.URL, http.StatusFound) })
	r := newRig(t, autonomous())
	g := r.surfer(netRule{host: "*"}, outer.rule)
	g.refused(abi.CodeDenied, "private", abi.HTTPRequestFn, reqJSON(outer.URL))
}

func TestResponses(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, req *http.Request) {
		switch req.URL.Path {
		case "/big":
			_, _ = w.Write(make([]byte, 1001))
		case "/fits":
			_, _ = w.Write(make([]byte, 1000))
		case "/bytes":
			_, _ = w.Write([]byte("\xff\xfe"))
		case "/cut":
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("short"))
		case "/slow":
			<-req.Context().Done()
		case "/headers":
			for i := range 64 {
				w.Header().Set("X-"+strconv.Itoa(i), strings.Repeat("x", 64<<10))
			}
		}
	})
	o := autonomous()
	o.http.MaxResponse = 1000
	r := newRig(t, o)
	g := r.surfer(s.rule)
	if n := len(g.get(s.URL + "/fits").Body); n != 1000 {
		t.Errorf("%d bytes of 1000", n)
	}
	g.refused(abi.CodeTooLarge, "1000 bytes", abi.HTTPRequestFn, reqJSON(s.URL+"/big"))
	g.refused(abi.CodeInvalid, "UTF-8", abi.HTTPRequestFn, reqJSON(s.URL+"/bytes"))
	g.refused(abi.CodeIO, "EOF", abi.HTTPRequestFn, reqJSON(s.URL+"/cut"))
	r.host.svc.HTTP.Timeout = 50 * time.Millisecond
	g.refused(abi.CodeTimeout, "50ms", abi.HTTPRequestFn, reqJSON(s.URL+"/slow?key=leak"))
	g.refused(abi.CodeTimeout, "50ms", abi.HTTPStreamStart, reqJSON(s.URL+"/slow?key=leak"))
	r.host.svc.HTTP.Timeout = abi.HTTPTimeout
	g.refused(abi.CodeIO, "header", abi.HTTPRequestFn, reqJSON(s.URL+"/headers"))
	s.Close()
	g.refused(abi.CodeIO, "refused", abi.HTTPRequestFn, reqJSON(s.URL+"/?key=leak"))
	for _, e := range r.entries("default", audit.KindOutcome) {
		if strings.Contains(string(e.Line()), "leak") {
			t.Errorf("a query is in the audit log: %s", e.Line())
		}
	}
}

// TestWebPage: markup is not blown up on its way to the guest.
func TestWebPage(t *testing.T) {
	page := strings.Repeat("<a>&", 1000)
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(page)) })
	r := newRig(t, autonomous())
	out, err := r.surfer(s.rule).do(abi.HTTPRequestFn, reqJSON(s.URL))
	if err != nil || len(out) > len(page)+1000 || !strings.Contains(string(out), page) {
		t.Errorf("%d bytes for %d: %v", len(out), len(page), err)
	}
}

// TestHTTPCanceled: the end of the guest's call ends its request.
func TestHTTPCanceled(t *testing.T) {
	reached := make(chan struct{})
	s := serve(t, func(_ http.ResponseWriter, req *http.Request) { close(reached); <-req.Context().Done() })
	r := newRig(t, autonomous())
	g := r.surfer(s.rule)
	ctx, cancel := context.WithCancel(context.Background())
	go func() { <-reached; cancel() }()
	if _, err := g.doCtx(ctx, abi.HTTPRequestFn, reqJSON(s.URL)); err == nil || err.Code != abi.CodeCanceled {
		t.Errorf("%v", err)
	}
}
