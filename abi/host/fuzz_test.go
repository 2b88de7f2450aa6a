package host

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/net/http/httpguts"

	"github.com/unicity-astrid/astrid-go/abi"
)

// FuzzDecodeHTTP: a request that passes can be shown, decided and sent as one and the same.
func FuzzDecodeHTTP(f *testing.F) {
	for _, s := range []string{
		`{"url":"https://a.test/p?q=1","method":"post","headers":{"X-A":"1"},"body":"x","cost_usd":0.1}`,
		`{"url":"http://[::1]:80/%2e%2e/a"}`, `{"url":"http://127.1/"}`, `{"url":"http://A.test:443//b?#c"}`,
		`{"url":"http://a.test\\@b.test/"}`, `{"url":"http://a.test/\u0000"}`, `null`, `{"url":"http://0x7f.0.0.1."}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := decodeHTTP(raw)
		if err != nil {
			var e *abi.Error
			if e, _ = err.(*abi.Error); e == nil || e.Code != abi.CodeInvalid {
				t.Fatalf("%v is not an invalid request", err)
			}
			return
		}
		if r.url.Scheme != "http" && r.url.Scheme != "https" || r.url.User != nil || !methods[r.method] || r.cost < 0 {
			t.Fatalf("%+v", r)
		}
		for k, v := range r.headers {
			if !httpguts.ValidHeaderFieldName(k) || !httpguts.ValidHeaderFieldValue(v[0]) {
				t.Fatalf("header %q: %q", k, v)
			}
		}
		a := netAction(r.method, r.url, len(r.body), r.cost)
		if strings.Contains(a.Resource, "?") || a.Port < 1 || a.Port > 65535 || a.Host == "" {
			t.Fatalf("%+v", a)
		}
		// What is decided names the host that is dialled.
		u, err := url.Parse(strings.TrimPrefix(a.Resource, "net:"))
		if err != nil {
			return // the gate refuses it for the same reason
		}
		if !strings.EqualFold(u.Hostname(), r.url.Hostname()) || portOf(u) != portOf(r.url) {
			t.Fatalf("decided %s, dialled %s", u.Host, r.url.Host)
		}
		if _, err := netip.ParseAddr(r.url.Hostname()); err != nil && oddAddress(r.url.Hostname()) {
			t.Fatalf("host %q", r.url.Hostname())
		}
		if req, err := http.NewRequest(r.method, r.url.String(), nil); err == nil && req.URL.Host != r.url.Host {
			t.Fatalf("read again as %q, was %q", req.URL.Host, r.url.Host)
		}
	})
}

// FuzzPrintable: what a guest wants to have shown is one line of bounded length.
func FuzzPrintable(f *testing.F) {
	f.Add("a\nb\x00\xff", 3)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		if limit < 0 || limit > 1<<16 {
			return
		}
		p := printable(s, limit)
		if !utf8.ValidString(p) || utf8.RuneCountInString(p) > limit || strings.ContainsAny(p, "\n\r\x00\x1b\x7f") {
			t.Errorf("%q", p)
		}
	})
}

// FuzzKey: a key that passes is text.
func FuzzKey(f *testing.F) {
	f.Add([]byte("a\x00"), false)
	f.Fuzz(func(t *testing.T, raw []byte, prefix bool) {
		k, err := kvKey(raw, prefix)
		if err == nil && (!utf8.ValidString(k) || strings.Contains(k, "\x00") || k == "" && !prefix || k != string(raw)) {
			t.Errorf("%q", k)
		}
	})
}
