package storage

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// reader is what a transaction needs of the state below it. Both methods may return memory of the engine;
// the transaction copies what it hands out. ascend visits keys ≥ from until visit returns false, with their values if they are
// asked for.
type reader interface {
	get(key string) ([]byte, bool)
	ascend(from string, values bool, visit func(key string, val []byte) bool)
}

// write is the outcome for one key: a value, or its deletion.
type write struct {
	val     []byte
	deleted bool
}

// buffer is a transaction whose writes stay in memory until the engine applies them. It lets an engine run several
// transactions within one commit of the disk and drop a failed one without touching its neighbours.
type buffer struct {
	base   reader
	writes map[string]write
	done   bool
}

var errTxDone = errors.New("storage: transaction used after its function returned")

func (b *buffer) lookup(key string) ([]byte, bool) {
	if w, ok := b.writes[key]; ok {
		return w.val, !w.deleted
	}
	return b.base.get(key)
}

func (b *buffer) Get(key string) ([]byte, error) {
	if err := b.check(key); err != nil {
		return nil, err
	}
	val, ok := b.lookup(key)
	if !ok {
		return nil, notFound(key)
	}
	return copyOf(val), nil
}

func (b *buffer) Put(key string, val []byte) error {
	if err := b.check(key); err != nil {
		return err
	}
	if err := checkValue(key, val); err != nil {
		return err
	}
	b.set(key, write{val: copyOf(val)})
	return nil
}

func (b *buffer) Delete(key string) error {
	if err := b.check(key); err != nil {
		return err
	}
	if _, ok := b.lookup(key); ok { // an absent key is no write: it would be an event about nothing
		b.set(key, write{deleted: true})
	}
	return nil
}

func (b *buffer) set(key string, w write) {
	if b.writes == nil {
		b.writes = make(map[string]write, 1)
	}
	b.writes[key] = w
}

func (b *buffer) check(key string) error {
	if b.done {
		return errTxDone
	}
	return checkKey(key)
}

// Scan collects the keys first, then calls: fn may write without disturbing the walk. Values are read one by one, for all
// together they may not fit into memory; the state below does not change while the transaction runs.
func (b *buffer) Scan(prefix string, fn func(key string, val []byte) error) error {
	if b.done {
		return errTxDone
	}
	writes := maps.Clone(b.writes)
	var keys []string
	b.base.ascend(prefix, false, func(key string, _ []byte) bool {
		if !strings.HasPrefix(key, prefix) {
			return false
		}
		if _, ok := writes[key]; !ok {
			keys = append(keys, strings.Clone(key))
		}
		return true
	})
	for key, w := range writes {
		if !w.deleted && strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		val := writes[key].val
		if _, ok := writes[key]; !ok {
			val, _ = b.base.get(key)
		}
		if err := fn(key, copyOf(val)); err != nil {
			return err
		}
	}
	return nil
}

// run calls fn on the buffer. A panic of fn becomes an error, because fn may be running in the engine's goroutine
// on behalf of a caller: the daemon must not die of it, nor the other callers of the same commit fail.
func (b *buffer) run(fn func(Tx) error) (err error) {
	defer func() {
		b.done = true
		switch p := recover().(type) {
		case nil:
		case damage: // not fn's doing
			panic(p)
		default:
			err = fmt.Errorf("storage: transaction panicked: %v", p)
		}
	}()
	return fn(b)
}

// damage is what an engine panics with when it finds that its own data is broken.
type damage struct{ cause any }

func (d damage) String() string { return fmt.Sprint(d.cause) }

// swap is CompareAndSwap as a transaction.
func swap(key string, old, new []byte) func(Tx) error {
	return func(tx Tx) error {
		cur, err := tx.Get(key)
		switch {
		case errors.Is(err, ErrNotFound):
			if old != nil {
				return fmt.Errorf("%w: %q is absent", ErrConflict, key)
			}
		case err != nil:
			return err
		case old == nil:
			return fmt.Errorf("%w: %q is there already", ErrConflict, key)
		case !bytes.Equal(cur, old):
			return fmt.Errorf("%w: %q", ErrConflict, key)
		}
		if new == nil {
			return tx.Delete(key)
		}
		return tx.Put(key, new)
	}
}

// copyPiece bounds what is copied at once, in bytes.
const copyPiece = 512 << 10

// copyOf never returns nil: an empty value is not an absent one. A long one is copied in pieces, because Go's collector
// waits for a copy that is under way.
func copyOf(val []byte) []byte {
	out := make([]byte, 0, len(val))
	for ; len(val) > copyPiece; val = val[copyPiece:] {
		out = appendPiece(out, val[:copyPiece])
	}
	return append(out, val...)
}

// appendPiece is a function of its own, because the collector stops a goroutine at the latest where a function begins.
//
//go:noinline
func appendPiece(out, piece []byte) []byte { return append(out, piece...) }
