package remote

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/capsule"
)

// releases serves what is in files, by path.
func releases(t *testing.T, files map[string]string) (*httptest.Server, *Client) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, ok := files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(s.Close)
	return s, client(t, Options{Base: s.URL})
}

func client(t *testing.T, o Options) *Client {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func parse(t *testing.T, text string) Source {
	t.Helper()
	s, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fetch finds and fetches, and returns the content.
func fetch(t *testing.T, c *Client, s Source) (string, error) {
	t.Helper()
	r, err := c.Find(context.Background(), s)
	if err != nil {
		return "", err
	}
	path, err := c.Fetch(context.Background(), r, t.TempDir())
	if err != nil {
		return "", err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b), nil
}

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"@org/name":                        "@org/name",
		"@org/name@v1.2.0":                 "@org/name@1.2.0",
		"github.com/org/name":              "@org/name",
		"https://github.com/org/name.git":  "@org/name",
		"https://example.com/a.capsule":    "https://example.com/a.capsule",
		"https://h/a#sha256=" + zeros:      "https://h/a#sha256=" + zeros,
		"https://github.com/o/n/a.capsule": "https://github.com/o/n/a.capsule",
	} {
		if s, err := Parse(text); err != nil || s.String() != want {
			t.Errorf("%s: %v, %v", text, s, err)
		}
	}
	for _, text := range []string{
		"@org", "@/name", "@org/", "@org/..", "@../x", "@-o/n", "@org/name@", "@org/name@latest", "@a/b/c", "@o/n?x",
		"ftp://h/x", "https:///x", "https://user:pw@h/x.capsule", "https://h/x#md5=1", "https://h/x#blake3=12",
	} {
		if s, err := Parse(text); err == nil {
			t.Errorf("%s is taken as %v", text, s)
		}
	}
}

const zeros = "0000000000000000000000000000000000000000000000000000000000000000"

func TestFetchRelease(t *testing.T) {
	latest, old := "/o/tool/releases/latest/download/", "/o/tool/releases/download/v1.0.0/"
	_, c := releases(t, map[string]string{
		latest + "tool.capsule": "new", latest + "tool.capsule.blake3": capsule.Hash([]byte("new")) + "  tool.capsule\n",
		old + "astrid-tool.capsule": "old", old + "astrid-tool.capsule.sha256": "84B96CD80DC8439AA71B3FCEAC9B62FEF4AFB7456D2C36AE2BF97CED6B4CC4AC",
	})
	if got, err := fetch(t, c, parse(t, "@o/tool")); err != nil || got != "new" {
		t.Errorf("latest: %q, %v", got, err)
	}
	_, err := fetch(t, c, parse(t, "@o/tool@1.0.0"))
	if !errors.Is(err, ErrChecksum) {
		t.Errorf("another sha256: %v", err)
	}
	_, err = fetch(t, c, parse(t, "@o/tool@9.0.0"))
	if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "tool.capsule or astrid-tool.capsule") {
		t.Errorf("no such release: %v", err)
	}
}

func TestFetchURL(t *testing.T) {
	s, c := releases(t, map[string]string{"/x.capsule": "data", "/y.capsule": "data", "/y.capsule.blake3": "?"})
	sum := capsule.Hash([]byte("data"))
	if got, err := fetch(t, c, parse(t, s.URL+"/x.capsule#blake3="+sum)); err != nil || got != "data" {
		t.Errorf("pinned: %q, %v", got, err)
	}
	if _, err := fetch(t, c, parse(t, s.URL+"/x.capsule#blake3="+zeros)); !errors.Is(err, ErrChecksum) || !strings.Contains(err.Error(), sum) {
		t.Errorf("wrong pin: %v", err)
	}
	if _, err := fetch(t, c, parse(t, s.URL+"/x.capsule")); !errors.Is(err, ErrNoChecksum) {
		t.Errorf("no checksum: %v", err)
	}
	if _, err := fetch(t, c, parse(t, s.URL+"/y.capsule")); err == nil || !strings.Contains(err.Error(), "64 hex digits") {
		t.Errorf("a checksum file with something else: %v", err)
	}
	if _, err := fetch(t, c, parse(t, s.URL+"/z.capsule")); !errors.Is(err, ErrNotFound) {
		t.Errorf("no such file: %v", err)
	}
	off := client(t, Options{Base: s.URL, Offline: true})
	if _, err := fetch(t, off, parse(t, s.URL+"/x.capsule#blake3="+sum)); !errors.Is(err, ErrOffline) {
		t.Errorf("offline: %v", err)
	}
}

// Where a server may not send us, whether the address says so or a redirect.
func TestPrivateAddresses(t *testing.T) {
	inner := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		t.Error("a private server was reached")
	}))
	defer inner.Close()
	port := inner.URL[strings.LastIndex(inner.URL, ":"):]
	var target string
	outer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, target, http.StatusFound)
	}))
	defer outer.Close()
	c := client(t, Options{Base: outer.URL})
	for _, to := range []string{inner.URL, "https://127.0.0.1" + port, "https://localhost" + port, "https://[::1]" + port, "https://169.254.169.254/latest", "https://[::ffff:10.0.0.1]/", "https://10.1.2.3/x", "http://example.com/"} {
		target = to
		if _, err := fetch(t, c, parse(t, outer.URL+"/x.capsule#blake3="+zeros)); err == nil {
			t.Errorf("a redirect to %s was followed", to)
		} else if !errors.Is(err, ErrPrivate) && !strings.Contains(err.Error(), "https") {
			t.Errorf("redirect to %s: %v", to, err)
		}
		if _, err := fetch(t, c, parse(t, to+"#blake3="+zeros)); err == nil {
			t.Errorf("%s was fetched", to)
		}
	}
	target = outer.URL + "/again"
	if _, err := fetch(t, c, parse(t, outer.URL+"/x.capsule#blake3="+zeros)); err == nil || !strings.Contains(err.Error(), "redirects") {
		t.Errorf("a loop: %v", err)
	}
}

func TestBadServers(t *testing.T) {
	release := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/short.capsule", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write([]byte("only this"))
	})
	mux.HandleFunc("/huge.capsule", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(int64(10)<<30))
	})
	mux.HandleFunc("/stalls.capsule", func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("a little"))
		w.(http.Flusher).Flush()
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("/silent.capsule", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("/limited.capsule", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) })
	s := httptest.NewServer(mux)
	defer s.Close()
	defer close(release)
	c := client(t, Options{Base: s.URL, Idle: 50 * time.Millisecond})
	for path, want := range map[string]string{
		"short": "ended early", "huge": "at most", "stalls": "nothing arrived for 50ms (8 bytes were there)", "silent": "no answer within 50ms", "limited": "429 Too Many Requests: it may be limiting",
	} {
		if _, err := fetch(t, c, parse(t, s.URL+"/"+path+".capsule#blake3="+zeros)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	s.Close()
	if _, err := fetch(t, c, parse(t, s.URL+"/short.capsule#blake3="+zeros)); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("nobody there: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"@o/n@1.0.0", "https://h/p.capsule#blake3=" + zeros, "github.com/a/b", "@o/n/../x"} {
		f.Add(s)
	}
	c, err := New(Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(s.String())
		if err != nil || again.String() != s.String() {
			t.Fatalf("%q is %q, which is %q, %v", text, s, again, err)
		}
		if s.URL == nil {
			if p := s.release(c.base).Path; !strings.HasPrefix(p, "/"+s.Org+"/"+s.Name+"/releases/") {
				t.Fatalf("%q leads to %q", text, p)
			}
		}
	})
}
