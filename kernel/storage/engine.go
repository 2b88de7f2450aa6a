package storage

import (
	"context"
	"fmt"
	"io/fs"
)

const (
	// MaxKeyBytes bounds a key. Guests are held to 4096 bytes by the host; the rest is for prefixes.
	MaxKeyBytes = 16 << 10
	// MaxValueBytes bounds a value. Guests are held to 10 MiB by the host.
	MaxValueBytes = 64 << 20
)

var (
	// ErrNotFound says that the key is absent. It is also an fs.ErrNotExist.
	ErrNotFound = fmt.Errorf("storage: key not found (%w)", fs.ErrNotExist)
	// ErrConflict says that CompareAndSwap found another value than expected. It is also an fs.ErrExist.
	ErrConflict = fmt.Errorf("storage: the value has changed (%w)", fs.ErrExist)
	// ErrClosed is returned by every method after Close. It is also an fs.ErrClosed.
	ErrClosed = fmt.Errorf("storage: engine is closed (%w)", fs.ErrClosed)
	// ErrInvalidKey says that a key, prefix or namespace breaks a rule; it is also an fs.ErrInvalid.
	ErrInvalidKey = fmt.Errorf("storage: invalid key (%w)", fs.ErrInvalid)
	// ErrTooLarge says that a key or value is over its limit.
	ErrTooLarge = fmt.Errorf("storage: too large (%w)", fs.ErrInvalid)
)

// Engine is an ordered, transactional key-value store. See the package comment for what it promises.
// All methods may be called from many goroutines.
type Engine interface {
	// Get returns a copy of the value, or ErrNotFound.
	Get(ctx context.Context, key string) ([]byte, error)
	// Put stores a copy of val, replacing what was there. A nil val is stored as an empty one.
	Put(ctx context.Context, key string, val []byte) error
	// Delete removes the key. It is no error if it is absent.
	Delete(ctx context.Context, key string) error
	// List returns the keys that begin with prefix, ascending. The empty prefix means all keys.
	List(ctx context.Context, prefix string) ([]string, error)
	// Scan calls fn for each key that begins with prefix, ascending, and stops at fn's first error, which it returns.
	// fn owns val and may use the engine.
	Scan(ctx context.Context, prefix string, fn func(key string, val []byte) error) error
	// CompareAndSwap replaces old by new if the stored value equals old, else it returns ErrConflict.
	// A nil old means that the key must be absent; a nil new deletes it.
	CompareAndSwap(ctx context.Context, key string, old, new []byte) error
	// Update runs fn and commits what it wrote as one, or nothing if fn returns an error, which Update then returns.
	// Updates run one at a time: fn must be quick, must not call the engine (it would wait for itself), and must have
	// no effects of its own, for an engine may run it again.
	Update(ctx context.Context, fn func(Tx) error) error
	// Watch reports the changes of keys that begin with prefix, from now on. The channel is closed when ctx ends,
	// when the engine is closed, or after a Lost event.
	Watch(ctx context.Context, prefix string) (<-chan Event, error)
	// Close waits for writes under way and releases what the engine holds. A second Close does nothing.
	Close() error
}

// Tx is what a function given to Update reads and writes. It sees its own writes and is invalid after the function returned.
type Tx interface {
	Get(key string) ([]byte, error) // ErrNotFound
	Put(key string, val []byte) error
	Delete(key string) error
	// Scan calls fn for each key that begins with prefix, ascending, as of the call: fn may write through the Tx.
	Scan(prefix string, fn func(key string, val []byte) error) error
}

// EventKind says what happened to a key.
type EventKind uint8

// The kinds of events. Lost has no key: the watcher was too slow, its channel is about to be closed, and
// what it knows is out of date. Watch again, then read again.
const (
	Stored EventKind = iota + 1
	Deleted
	Lost
)

// Event is one committed change. Value is what was stored; it is shared between watchers and must not be modified.
type Event struct {
	Kind  EventKind
	Key   string
	Value []byte
}

// checkKey holds the rules that all engines share.
func checkKey(key string) error {
	if key == "" {
		return fmt.Errorf("%w: key must not be empty", ErrInvalidKey)
	}
	if len(key) > MaxKeyBytes {
		return fmt.Errorf("%w: key of %d bytes exceeds %d", ErrTooLarge, len(key), MaxKeyBytes)
	}
	return nil
}

func checkValue(key string, val []byte) error {
	if len(val) > MaxValueBytes {
		return fmt.Errorf("%w: value of %q has %d bytes, the limit is %d", ErrTooLarge, key, len(val), MaxValueBytes)
	}
	return nil
}

func notFound(key string) error { return fmt.Errorf("%w: %q", ErrNotFound, key) }
