package storage

import (
	"bytes"
	"context"
	"errors"
	"testing"
)

// FuzzUsage: a counter that was not written by a scope is refused, and then neither trusted nor overwritten.
func FuzzUsage(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(make([]byte, 15))
	f.Add(Usage{Keys: 1, Bytes: 2}.encode())
	f.Add(bytes.Repeat([]byte{0xff}, 16))
	f.Fuzz(func(t *testing.T, raw []byte) {
		ctx := context.Background()
		e := NewMem()
		defer e.Close()
		if err := e.Put(ctx, usagePrefix+"ns", raw); err != nil {
			t.Fatal(err)
		}
		s, err := Scoped(e, "ns", Quota{MaxKeys: 10})
		if err != nil {
			t.Fatal(err)
		}
		u, err := s.Usage(ctx)
		if err == nil {
			if !bytes.Equal(u.encode(), raw) {
				t.Errorf("%x was read as %+v", raw, u)
			}
			return
		}
		if !errors.Is(err, ErrCorrupt) {
			t.Errorf("%x: %v", raw, err)
		}
		if err := s.Put(ctx, "k", nil); !errors.Is(err, ErrCorrupt) {
			t.Errorf("a write over a broken counter: %v", err)
		}
		if now, _ := e.Get(ctx, usagePrefix+"ns"); !bytes.Equal(now, raw) {
			t.Errorf("the broken counter %x was replaced by %x", raw, now)
		}
	})
}
