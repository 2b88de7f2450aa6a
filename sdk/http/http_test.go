package http_test

import (
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	sdkhttp "github.com/unicity-astrid/astrid-go/sdk/http"
	"github.com/unicity-astrid/astrid-go/sdk/sdktest"
)

func TestDo(t *testing.T) {
	h := sdktest.New(t)
	h.HTTP = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Kind", r.Header.Get("Content-Type"))
		w.WriteHeader(418)
		_, _ = io.WriteString(w, `"`+r.Method+" "+r.URL.Path+" "+string(body)+`"`)
	})
	r, err := sdkhttp.Post("https://example.org/pot?x=1", "text/plain", []byte("tea"))
	if err != nil {
		t.Fatal(err)
	}
	var text string
	if err := r.JSON(&text); err != nil || text != "POST /pot tea" {
		t.Errorf("%q %v", text, err)
	}
	if r.Status != 418 || r.OK() || r.Header("X-KIND") != "text/plain" {
		t.Errorf("%+v", r)
	}
	if _, err := sdkhttp.Post("https://example.org", "x", []byte{0xff}); err == nil {
		t.Error("a body that is not text was sent")
	}
	h.HTTP = nil
	if _, err := sdkhttp.Get("https://example.org"); !errors.Is(err, abi.ErrDenied) {
		t.Errorf("got %v", err)
	}
}

func TestStream(t *testing.T) {
	h := sdktest.New(t)
	h.HTTP = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for _, s := range []string{"one", "two", "three"} {
			_, _ = io.WriteString(w, s)
			w.(http.Flusher).Flush()
		}
	})
	open := func() *sdkhttp.Stream {
		s, err := sdkhttp.Open(&sdkhttp.Request{URL: "https://example.org", CostUSD: 1})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	var p [2]byte
	if n, err := s.Read(p[:]); n != 2 || err != nil || string(p[:]) != "on" {
		t.Errorf("%q %v", p[:n], err)
	}
	if b, err := s.Next(); string(b) != "e" || err != nil {
		t.Errorf("%q %v", b, err)
	}
	if rest, err := io.ReadAll(s); string(rest) != "twothree" || err != nil {
		t.Errorf("%q %v", rest, err)
	}
	s.Settle(0.25)
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.Read(p[:]); !errors.Is(err, abi.ErrClosed) {
		t.Errorf("read after close: %v", err)
	}
	if c := h.Costs(); len(c) != 1 || c[0] != 0.25 {
		t.Errorf("costs %v", c)
	}
	for range abi.MaxHTTPStreams {
		open()
	}
	if _, err := sdkhttp.Open(&sdkhttp.Request{URL: "https://example.org"}); !errors.Is(err, abi.ErrLimit) {
		t.Errorf("got %v", err)
	}
}
