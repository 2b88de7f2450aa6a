package storage

import (
	"bytes"
	"encoding/binary"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// Go's collector waits for a copy that is under way, and bbolt copies each value at once into a page that is not in memory
// yet. So a long value is kept in pieces, in a bucket of their own, and the value's place holds a note of that.

// boltBigBucket holds the pieces, see pieceKey.
var boltBigBucket = []byte("big")

// bigNote begins a note; the length of the value follows. Values that begin like one are kept in pieces too, so that
// nobody can write a note.
var bigNote = []byte("\x00astrid-pieces\x00\x01\x00")

func isBig(stored []byte) bool { return bytes.HasPrefix(stored, bigNote) }

// pieceKey is the key of the nth piece: no key's pieces stand among those of another.
func pieceKey(key []byte, n int) []byte {
	k := binary.BigEndian.AppendUint32(make([]byte, 0, len(key)+8), uint32(len(key)))
	return binary.BigEndian.AppendUint32(append(k, key...), uint32(n))
}

// boltTables are the two buckets within one transaction.
type boltTables struct{ kv, big *bolt.Bucket }

func tables(tx *bolt.Tx) boltTables {
	return boltTables{tx.Bucket(boltBucket), tx.Bucket(boltBigBucket)}
}

// value returns what is stored as such for key, whole.
func (t boltTables) value(key, stored []byte) []byte {
	if !isBig(stored) {
		return stored
	}
	if len(stored) != len(bigNote)+8 {
		panic(fmt.Errorf("the value of %q is noted wrong", key))
	}
	size := binary.BigEndian.Uint64(stored[len(bigNote):])
	if size > MaxValueBytes {
		panic(fmt.Errorf("the value of %q is noted with %d bytes", key, size))
	}
	val := make([]byte, 0, size)
	for n := 0; uint64(len(val)) < size; n++ {
		piece := t.big.Get(pieceKey(key, n))
		if len(piece) == 0 || uint64(len(val)+len(piece)) > size {
			panic(fmt.Errorf("piece %d of the value of %q is missing or too long", n, key))
		}
		val = appendPiece(val, piece)
	}
	return val
}

func (t boltTables) put(key, val []byte) error {
	if err := t.dropPieces(key); err != nil {
		return err
	}
	if len(val) <= copyPiece && !isBig(val) {
		return t.kv.Put(key, val)
	}
	if err := t.kv.Put(key, binary.BigEndian.AppendUint64(bytes.Clone(bigNote), uint64(len(val)))); err != nil {
		return err
	}
	for n := 0; len(val) > 0; n++ {
		piece := val[:min(copyPiece, len(val))]
		if err := t.big.Put(pieceKey(key, n), piece); err != nil {
			return err
		}
		val = val[len(piece):]
	}
	return nil
}

func (t boltTables) delete(key []byte) error {
	if err := t.dropPieces(key); err != nil {
		return err
	}
	return t.kv.Delete(key)
}

func (t boltTables) dropPieces(key []byte) error {
	if !isBig(t.kv.Get(key)) {
		return nil
	}
	for n := 0; ; n++ {
		k := pieceKey(key, n)
		if t.big.Get(k) == nil {
			return nil
		}
		if err := t.big.Delete(k); err != nil {
			return err
		}
	}
}
