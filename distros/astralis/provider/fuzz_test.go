package provider_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/distros/astralis/provider"
	"github.com/unicity-astrid/astrid-go/distros/astralis/provider/providertest"
)

// FuzzRelay reads server-sent events and hands on what is in them.
func FuzzRelay(f *testing.F) {
	decode = func(c *provider.Call, events *provider.Events) error {
		for {
			e, err := events.Next()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err == nil {
				err = c.Text(fmt.Sprintf("%q %q", e.Name, e.Data))
			}
			if err != nil {
				return err
			}
		}
	}
	f.Cleanup(func() { decode = nil })
	providertest.Fuzz(f, "test", "event: a\r\ndata: one\r\ndata:two\r\n\r\n: comment\n\ndata\n\nid: 7\ndata: é\n")
}

// FuzzFailure reads the body of an error. What people see of it is short, and never the key.
func FuzzFailure(f *testing.F) {
	f.Add(400, `{"error":{"message":"sk-fuzz-123456 is wrong","type":"invalid_request_error","code":"context_length_exceeded"}}`)
	f.Add(529, `{"type":"error","error":"busy"}`)
	f.Add(500, "<html>\x1b]0;owned\a\xff</html>")
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status = 300 + (status&0x7fffffff)%300; strings.Contains(body, "\x00") {
			return
		}
		g := providertest.New(t, "test", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "3600") // nobody waits that long
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}))
		g.Config["api_key"] = "sk-fuzz-123456"
		o := g.Ask(providertest.Prompt("hi"))
		if o.Done || o.Failure.Kind == "" || o.Failure.Status != status || o.Error == "" {
			t.Errorf("%+v", o)
		}
		if strings.Contains(o.Error, "sk-fuzz-123456") || !utf8.ValidString(o.Error) || len(o.Error) > 4096 || strings.ContainsAny(o.Error, "\x1b\a") {
			t.Errorf("%d bytes: %q", len(o.Error), o.Error)
		}
	})
}

// FuzzTable reads a setting: what it takes makes no cost negative, and no request free by nonsense.
func FuzzTable(f *testing.F) {
	f.Add(table)
	f.Add("as-of x\n* 0 0 1 2 3 4 >5 6 7 8 9")
	f.Fuzz(func(t *testing.T, text string) {
		tb, err := provider.ParseTable(text)
		if err != nil {
			return
		}
		for _, m := range append(tb.Models(), tb.Find("other")) {
			if cost := m.Cost(abi.Usage{InputTokens: 1 << 40, OutputTokens: 1 << 40, CacheReadTokens: 1 << 41, CacheWriteTokens: 3}); !(cost >= 0) {
				t.Errorf("%+v costs %g", m, cost)
			}
		}
	})
}
