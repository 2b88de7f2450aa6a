package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// TestBigValues: long values, and those that look like the note of one, come back whole from every kind of read and
// after reopening, and their pieces go with them.
func TestBigValues(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "state.db")
	e := openFile(t, path)
	want := map[string][]byte{}
	check := func() {
		t.Helper()
		seen := 0
		err := e.Scan(ctx, "", func(key string, val []byte) error {
			seen++
			if !bytes.Equal(val, want[key]) {
				return fmt.Errorf("scan: %q has %d bytes, want %d", key, len(val), len(want[key]))
			}
			return nil
		})
		if err != nil || seen != len(want) {
			t.Fatalf("%d of %d keys, %v", seen, len(want), err)
		}
		for key, val := range want {
			if got, err := e.Get(ctx, key); err != nil || !bytes.Equal(got, val) {
				t.Fatalf("get: %q has %d bytes, want %d, %v", key, len(got), len(val), err)
			}
		}
	}
	rng := rand.NewChaCha8([32]byte{1})
	val := func(size int) []byte {
		b := make([]byte, size)
		rng.Read(b)
		return b
	}
	forged := append(bytes.Clone(bigNote), 0, 0, 0, 0, 0, 1, 0, 0)
	for i, v := range [][]byte{val(copyPiece - 1), val(copyPiece), val(copyPiece + 1), val(10 << 20), forged, bytes.Clone(bigNote), {}} {
		// One key is part of the next: their pieces must not meet.
		for _, key := range []string{"k", "k\x00\x00\x00\x00", fmt.Sprintf("k%d", i)} {
			if err := e.Put(ctx, key, v); err != nil {
				t.Fatal(err)
			}
			want[key] = v
		}
		check()
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	e = openFile(t, path)
	check()
	if err := e.CompareAndSwap(ctx, "k3", want["k3"], val(3<<20)); err != nil {
		t.Error(err)
	}
	if err := e.CompareAndSwap(ctx, "k3", want["k3"], nil); !errors.Is(err, ErrConflict) {
		t.Error(err)
	}
	for key := range want {
		if err := e.Delete(ctx, key); err != nil {
			t.Fatal(err)
		}
		delete(want, key)
	}
	check()
	_ = e.db.View(func(tx *bolt.Tx) error {
		if n := tx.Bucket(boltBigBucket).Stats().KeyN; n != 0 {
			t.Errorf("%d pieces are left", n)
		}
		return nil
	})
}

// TestMissingPiece: a long value of which a part is gone is damage, not a shorter value.
func TestMissingPiece(t *testing.T) {
	ctx := context.Background()
	e := openFile(t, filepath.Join(t.TempDir(), "state.db"))
	if err := e.Put(ctx, "k", make([]byte, 2*copyPiece)); err != nil {
		t.Fatal(err)
	}
	err := e.db.Update(func(tx *bolt.Tx) error {
		return tx.Bucket(boltBigBucket).Delete(pieceKey([]byte("k"), 1))
	})
	if err != nil {
		t.Fatal(err)
	}
	if val, err := e.Get(ctx, "k"); !errors.Is(err, ErrCorrupt) {
		t.Errorf("%d bytes, %v", len(val), err)
	}
}
