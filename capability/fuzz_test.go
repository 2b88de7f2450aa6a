package capability

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func FuzzPattern(f *testing.F) {
	f.Add("fs:read:///ws/**", "fs:read:///ws/a")
	f.Add("net:https://*.a:1/*", "net:https://b.a:1/%2e%2e")
	f.Add("net:http0:0", "0")
	f.Add(`exec:///bin/\*\\**`, "exec:///bin/* ..")
	f.Fuzz(func(t *testing.T, pattern, resource string) {
		p, err := ParsePattern(pattern)
		if err != nil {
			return
		}
		if p.Match(resource) {
			if strings.Contains(resource, "\x00") || !strings.HasPrefix(resource, p.Scheme()+":") {
				t.Fatalf("%q matches %q", pattern, resource)
			}
			for _, seg := range strings.Split(resource, "/") {
				if seg == ".." {
					t.Fatalf("%q matches %q", pattern, resource)
				}
			}
		}
		r, err := ParseResource(resource)
		if err != nil {
			return
		}
		q, err := ParsePattern(Quote(resource))
		if err != nil {
			return // longer than a pattern may be, or several lines
		}
		if !q.Literal() || !q.Matches(r) || resource != pattern && q.Match(pattern) {
			t.Fatalf("Quote(%q) = %q", resource, q)
		}
	})
}

func FuzzTokenJSON(f *testing.F) {
	b, err := json.Marshal(vectorToken(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(bytes.Replace(b, []byte(`"expires_at":"2023-11-14T23:13:20Z"`), []byte(`"expires_at":null`), 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		var k Token
		if json.Unmarshal(b, &k) != nil {
			return
		}
		out, err := json.Marshal(k)
		if err != nil {
			t.Fatalf("%+v: %v", k, err)
		}
		var again Token
		if err := json.Unmarshal(out, &again); err != nil || !bytes.Equal(again.Payload(), k.Payload()) || again.Signature != k.Signature {
			t.Fatalf("%s became %s: %v", b, out, err)
		}
	})
}

func FuzzTokenPayload(f *testing.F) {
	v := vectorToken(f)
	f.Add(v.Payload())
	v.ExpiresAt, v.SingleUse, v.Capsule = v.ExpiresAt.AddDate(-9999, 0, 0), true, ""
	f.Add(v.Payload())
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := DecodePayload(b)
		if err == nil && !bytes.Equal(k.Payload(), b) {
			t.Fatalf("%x became %x", b, k.Payload())
		}
	})
}
