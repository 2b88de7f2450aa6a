package audit

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func testHead(t testing.TB, seq uint64, at time.Time) []byte {
	h := Head{Principal: "alice", Seq: seq, Hash: Hash{byte(seq)}, Time: at}
	s := newSigner("runtime")
	h.Key, _ = signerKey(s)
	line, err := signHead(s, &h)
	if err != nil {
		t.Fatal(err)
	}
	return append(line, '\n')
}

func headSeq(t testing.TB, a Anchor) uint64 {
	t.Helper()
	b, err := a.Load(context.Background(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	h, err := DecodeHead(b)
	if err != nil {
		t.Fatal(err)
	}
	return h.Seq
}

// TestAnchors is the contract each anchor keeps.
func TestAnchors(t *testing.T) {
	at := time.Unix(1700000000, 0)
	for name, open := range map[string]func(dir string) (Anchor, error){
		"slots":  func(dir string) (Anchor, error) { return NewSlotAnchor(dir) },
		"memory": func(string) (Anchor, error) { return NewMemStore(), nil },
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "anchors")
			a, err := open(dir)
			if err != nil {
				t.Fatal(err)
			}
			ctx := context.Background()
			if _, err := a.Load(ctx, "alice"); !errors.Is(err, ErrNoAnchor) {
				t.Errorf("empty anchor: %v", err)
			}
			for seq := range uint64(7) {
				if err := a.Save(ctx, "alice", testHead(t, seq, at)); err != nil {
					t.Fatal(err)
				}
				if got := headSeq(t, a); got != seq {
					t.Fatalf("head %d, want %d", got, seq)
				}
			}
			if name == "memory" {
				return
			}
			if err := a.Save(ctx, "../alice", testHead(t, 9, at)); !errors.Is(err, ErrInvalid) {
				t.Errorf("principal with a path: %v", err)
			}
			b, err := open(dir)
			if err != nil {
				t.Fatal(err)
			}
			// A second process reads the last head, and a restarted chain counts from zero.
			if got := headSeq(t, b); got != 6 {
				t.Errorf("head %d after reopening", got)
			}
			if err := b.Save(ctx, "alice", testHead(t, 0, at.Add(1))); err != nil {
				t.Fatal(err)
			}
			if got := headSeq(t, b); got != 0 {
				t.Errorf("head %d after a restart of the chain", got)
			}
			files, _ := filepath.Glob(filepath.Join(dir, "*"))
			hidden, _ := filepath.Glob(filepath.Join(dir, ".*"))
			if len(files) != 1 || len(hidden) > 2 { // "." and ".."
				t.Errorf("files %v %v", files, hidden)
			}
			if fi, err := os.Stat(files[0]); err != nil || fi.Mode().Perm() != 0o600 {
				t.Errorf("mode %v %v", fi.Mode(), err)
			}
		})
	}
}

// TestTornSlot damages either slot: the other one counts, and is not overwritten next.
func TestTornSlot(t *testing.T) {
	at := time.Unix(1700000000, 0)
	ctx := context.Background()
	for torn, want := range map[int64]uint64{0: 6, slotSize: 5} {
		dir := t.TempDir()
		a, err := NewSlotAnchor(dir)
		if err != nil {
			t.Fatal(err)
		}
		for seq := range uint64(7) { // 5 is in the second slot, 6 in the first
			if err := a.Save(ctx, "alice", testHead(t, seq, at)); err != nil {
				t.Fatal(err)
			}
		}
		a.Close()
		name := filepath.Join(dir, "alice.heads")
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		copy(b[slotSize-torn+100:], "torn torn torn") // damage the other one than wanted
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		a, err = NewSlotAnchor(dir)
		if err != nil {
			t.Fatal(err)
		}
		if got := headSeq(t, a); got != want {
			t.Errorf("torn at %d: head %d, want %d", slotSize-torn, got, want)
		}
		if err := a.Save(ctx, "alice", testHead(t, 7, at)); err != nil {
			t.Fatal(err)
		}
		after, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if string(after[torn:torn+64]) != string(b[torn:torn+64]) {
			t.Error("the good slot was overwritten")
		}
		a.Close()
	}
}
