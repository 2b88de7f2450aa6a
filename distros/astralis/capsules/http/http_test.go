package main

import (
	"encoding/json"
	"fmt"
	"io"
	nethttp "net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/sdktest"
)

const page = `<!doctype html><html><head><title>A &amp; B</title><style>x{}</style><script>alert("<p>no</p>")</script></head>
<body><nav><a href="#top">Top</a></nav><h2>Head <em>line</em></h2><p>One
 two&nbsp;<b>three</b>, <a href="/rel?q=1">a <i>link</i></a>.</p><ul><li>a<li>b<ol><li>c</li></ol></li></ul>
<pre><code>if x {
	y &lt; z
}</code></pre><blockquote><p>said</p></blockquote><table><tr><th>k</th><th>v</th></tr><tr><td>1</td><td>2</td></tr></table>
<img src="p.png" alt="pic"><br>end<hr></body></html>`

func TestMarkdown(t *testing.T) {
	got := markdown(page, "https://example.com/dir/page")
	want := "# A & B\n\nTop\n\n## Head *line*\n\nOne two **three**, [a *link*](https://example.com/rel?q=1).\n\n- a\n- b\n  1. c\n\n```\nif x {\n\ty < z\n}\n```\n\n> said\n\nk | v\n1 | 2\n\n![pic](https://example.com/dir/p.png)\nend\n\n---\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s\n%q", got, want, got)
	}
}

func FuzzMarkdown(f *testing.F) {
	f.Add(page)
	f.Add("<pre><ul><a href='x'><li></pre></a></ul></blockquote></title><title>")
	f.Fuzz(func(t *testing.T, s string) {
		if out := markdown(s, "https://example.com"); len(out) > 40*len(s)+1000 {
			t.Errorf("%d bytes became %d", len(s), len(out))
		}
	})
}

func call(t *testing.T, h *sdktest.Host, args map[string]any) (result, string) {
	t.Helper()
	r := h.CallTool("fetch_url", args)
	if r.IsError {
		return result{}, r.Content
	}
	var out result
	if err := json.Unmarshal([]byte(r.Content), &out); err != nil {
		t.Fatal(err)
	}
	return out, ""
}

func TestFetch(t *testing.T) {
	h := sdktest.New(t)
	h.HTTP = nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		body, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/page":
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprint(w, page)
		case "/latin":
			w.Header().Set("Content-Type", "text/plain; charset=ISO-8859-1")
			_, _ = w.Write([]byte("Gr\xfc\xdfe"))
		case "/binary":
			w.Header().Set("Content-Type", "image/png")
			_, _ = w.Write([]byte("\x89PNG\xff"))
		case "/long":
			fmt.Fprint(w, strings.Repeat("0123456789", maxResult/10)+"the rest")
		case "/headers":
			for i := range 100 {
				w.Header().Set(fmt.Sprintf("X-%03d", i), strings.Repeat("é", 20_000))
			}
		case "/endless":
			for range 2 * maxRead >> 20 {
				fmt.Fprint(w, strings.Repeat("x", 1<<20))
			}
		default:
			w.WriteHeader(404)
			fmt.Fprintf(w, "%s %s %s %s", r.Method, r.URL.Path, r.Header.Get("X-A"), body)
		}
	})
	if r, e := call(t, h, map[string]any{"url": " https://example.com/page "}); e != "" || r.Status != 200 || !strings.HasPrefix(r.Body, "# A & B") || r.Headers["content-type"] == "" {
		t.Errorf("%+v %s", r, e)
	}
	if r, _ := call(t, h, map[string]any{"url": "https://example.com/page", "raw": true}); r.Body != page {
		t.Errorf("%s", r.Body)
	}
	if r, e := call(t, h, map[string]any{"url": "HTTP://example.com/x", "method": "post", "headers": map[string]string{"x-a": "b"}, "body": "hi"}); e != "" || r.Status != 404 || r.Body != "POST /x b hi" {
		t.Errorf("%+v %s", r, e)
	}
	if r, e := call(t, h, map[string]any{"url": "https://example.com/latin"}); r.Body != "Grüße" {
		t.Errorf("%+v %s", r, e)
	}
	if _, e := call(t, h, map[string]any{"url": "https://example.com/binary"}); !strings.Contains(e, `not text: 5 bytes of type "image/png"`) {
		t.Error(e)
	}
	r, _ := call(t, h, map[string]any{"url": "https://example.com/long"})
	if !r.Truncated || !strings.HasSuffix(r.Body, fmt.Sprintf("go on with offset %d]", maxResult)) {
		t.Errorf("%v", r.Truncated)
	}
	if r, _ := call(t, h, map[string]any{"url": "https://example.com/long", "offset": maxResult}); r.Body != "the rest" || r.Truncated {
		t.Errorf("%.50s", r.Body)
	}
	if r, e := call(t, h, map[string]any{"url": "https://example.com/endless", "offset": maxRead - 1}); !strings.Contains(r.Body, "the page is longer") {
		t.Errorf("%.50s %s", r.Body, e)
	}
	// What a server says in headers is bounded, too.
	r, _ = call(t, h, map[string]any{"url": "https://example.com/headers"})
	size := 0
	for name, value := range r.Headers {
		size += len(name) + len(value)
	}
	if size > 16<<10 || len(r.Headers) < 5 || !utf8.ValidString(r.Headers["x-000"]) {
		t.Errorf("%d headers of %d bytes", len(r.Headers), size)
	}
	if n := h.OpenStreams(); n != 0 {
		t.Errorf("%d streams are open", n)
	}
	for args, want := range map[string]string{
		`{"url":" "}`:                          "URL cannot be empty",
		`{"url":"file:///etc/passwd"}`:         "Only http:// and https://",
		`{"url":"example.com"}`:                "Only http:// and https://",
		`{"url":"https://x","method":"TRACE"}`: "unsupported HTTP method: TRACE",
	} {
		if r := h.CallTool("fetch_url", json.RawMessage(args)); !r.IsError || !strings.Contains(r.Content, want) {
			t.Errorf("%s: %+v", args, r)
		}
	}
	h.Handle(abi.HTTPStreamStart, func([]string) ([]byte, error) { return nil, abi.Errorf(abi.CodeDenied, "denied by the person") })
	if _, e := call(t, h, map[string]any{"url": "https://example.com/"}); !strings.Contains(e, "denied by the person") {
		t.Error(e)
	}
}
