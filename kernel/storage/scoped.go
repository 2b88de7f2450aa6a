package storage

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
)

// ErrQuota says that a write would take a scope over its quota. Nothing was written. It is
// an abi.ErrLimit too, which is what a guest is told.
var ErrQuota error = quotaError{}

type quotaError struct{}

func (quotaError) Error() string        { return "storage: quota exceeded" }
func (quotaError) Is(target error) bool { return target == abi.ErrLimit }

// Quota bounds what a scope may hold. A zero field is no limit.
type Quota struct {
	MaxKeys  int64
	MaxBytes int64 // sum of the lengths of keys and values
}

// Usage is what a scope holds now.
type Usage struct{ Keys, Bytes int64 }

// Scope is a view of one namespace of an engine, for data that must not meet other data, such as a capsule's own KV.
// It is an Engine itself. Keys may not be empty and, unlike in the engine below, may hold no NUL.
//
// A scope counts what it holds, in the same transaction as each write, whether or not it has a quota; so the count is right
// for all views of the namespace, in all processes, as long as all writes go through scopes.
type Scope struct {
	base  Engine
	ns    string
	quota Quota
}

var _ Engine = (*Scope)(nil)

// usagePrefix starts the keys of the counters. No scope can reach them: a namespace is not empty and so begins with another byte.
const usagePrefix = "\x00usage\x00"

// Scoped returns the view of a namespace; for a capsule "<principal>:capsule:<id>". The namespace may not be empty or hold NUL.
// Closing the view leaves the engine open.
func Scoped(e Engine, namespace string, q Quota) (*Scope, error) {
	if namespace == "" {
		return nil, fmt.Errorf("%w: namespace must not be empty", ErrInvalidKey)
	}
	if strings.Contains(namespace, "\x00") {
		return nil, fmt.Errorf("%w: namespace must not contain null bytes", ErrInvalidKey)
	}
	return &Scope{base: e, ns: namespace, quota: q}, nil
}

func (s *Scope) full(key string) (string, error) {
	if key == "" {
		return "", fmt.Errorf("%w: key must not be empty", ErrInvalidKey)
	}
	if strings.Contains(key, "\x00") {
		return "", fmt.Errorf("%w: key must not contain null bytes", ErrInvalidKey)
	}
	return s.ns + "\x00" + key, nil
}

func (s *Scope) fullPrefix(prefix string) (string, error) {
	if strings.Contains(prefix, "\x00") {
		return "", fmt.Errorf("%w: prefix must not contain null bytes", ErrInvalidKey)
	}
	return s.ns + "\x00" + prefix, nil
}

func (s *Scope) short(key string) string { return key[len(s.ns)+1:] }

// Get is Engine.Get within the namespace.
func (s *Scope) Get(ctx context.Context, key string) ([]byte, error) {
	k, err := s.full(key)
	if err != nil {
		return nil, err
	}
	val, err := s.base.Get(ctx, k)
	if errors.Is(err, ErrNotFound) {
		return nil, notFound(key) // the namespace is not the guest's business
	}
	return val, err
}

// Put is Engine.Put within the namespace; it can also return ErrQuota.
func (s *Scope) Put(ctx context.Context, key string, val []byte) error {
	return s.Update(ctx, func(tx Tx) error { return tx.Put(key, val) })
}

// Delete is Engine.Delete within the namespace.
func (s *Scope) Delete(ctx context.Context, key string) error {
	return s.Update(ctx, func(tx Tx) error { return tx.Delete(key) })
}

// CompareAndSwap is Engine.CompareAndSwap within the namespace; it can also return ErrQuota.
func (s *Scope) CompareAndSwap(ctx context.Context, key string, old, new []byte) error {
	return s.Update(ctx, swap(key, old, new))
}

// ClearPrefix deletes all keys that begin with prefix, at once, and returns how many there were.
func (s *Scope) ClearPrefix(ctx context.Context, prefix string) (n int, err error) {
	err = s.Update(ctx, func(tx Tx) error {
		n = 0
		return tx.Scan(prefix, func(key string, _ []byte) error {
			n++
			return tx.Delete(key)
		})
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// List is Engine.List within the namespace.
func (s *Scope) List(ctx context.Context, prefix string) ([]string, error) {
	p, err := s.fullPrefix(prefix)
	if err != nil {
		return nil, err
	}
	keys, err := s.base.List(ctx, p)
	if err != nil {
		return nil, err
	}
	for i := range keys {
		keys[i] = s.short(keys[i])
	}
	return keys, nil
}

// Scan is Engine.Scan within the namespace.
func (s *Scope) Scan(ctx context.Context, prefix string, fn func(key string, val []byte) error) error {
	p, err := s.fullPrefix(prefix)
	if err != nil {
		return err
	}
	return s.base.Scan(ctx, p, func(key string, val []byte) error { return fn(s.short(key), val) })
}

// Update is Engine.Update within the namespace. The quota holds for the transaction's outcome, not for each step.
func (s *Scope) Update(ctx context.Context, fn func(Tx) error) error {
	return s.base.Update(ctx, func(base Tx) error {
		before, err := s.load(base)
		if err != nil {
			return err
		}
		tx := &scopeTx{s: s, base: base, usage: before}
		if err := fn(tx); err != nil {
			return err
		}
		if tx.usage == before {
			return nil
		}
		if err := s.within(before, tx.usage); err != nil {
			return err
		}
		return base.Put(usagePrefix+s.ns, tx.usage.encode())
	})
}

// within refuses growth over the quota. Shrinking is always allowed, also from above a quota that was lowered.
func (s *Scope) within(before, after Usage) error {
	if q := s.quota.MaxKeys; q > 0 && after.Keys > q && after.Keys > before.Keys {
		return fmt.Errorf("%w: %d keys, the limit is %d", ErrQuota, after.Keys, q)
	}
	if q := s.quota.MaxBytes; q > 0 && after.Bytes > q && after.Bytes > before.Bytes {
		return fmt.Errorf("%w: %d bytes, the limit is %d", ErrQuota, after.Bytes, q)
	}
	return nil
}

// Usage returns how much the namespace holds.
func (s *Scope) Usage(ctx context.Context) (Usage, error) {
	raw, err := s.base.Get(ctx, usagePrefix+s.ns)
	if errors.Is(err, ErrNotFound) {
		return Usage{}, nil
	}
	if err != nil {
		return Usage{}, err
	}
	return decodeUsage(s.ns, raw)
}

func (s *Scope) load(tx Tx) (Usage, error) {
	raw, err := tx.Get(usagePrefix + s.ns)
	if errors.Is(err, ErrNotFound) {
		return Usage{}, nil
	}
	if err != nil {
		return Usage{}, err
	}
	return decodeUsage(s.ns, raw)
}

func (u Usage) encode() []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, uint64(u.Keys)), uint64(u.Bytes))
}

func decodeUsage(ns string, raw []byte) (Usage, error) {
	if len(raw) != 16 {
		return Usage{}, fmt.Errorf("%w: usage record of namespace %q has %d bytes, not 16", ErrCorrupt, ns, len(raw))
	}
	u := Usage{Keys: int64(binary.BigEndian.Uint64(raw)), Bytes: int64(binary.BigEndian.Uint64(raw[8:]))}
	if u.Keys < 0 || u.Bytes < 0 { // it would give room without end
		return Usage{}, fmt.Errorf("%w: usage record of namespace %q is negative", ErrCorrupt, ns)
	}
	return u, nil
}

// Watch is Engine.Watch within the namespace.
func (s *Scope) Watch(ctx context.Context, prefix string) (<-chan Event, error) {
	p, err := s.fullPrefix(prefix)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	in, err := s.base.Watch(ctx, p)
	if err != nil {
		cancel()
		return nil, err
	}
	out := make(chan Event)
	go func() {
		defer close(out)
		defer cancel()
		for ev := range in {
			if ev.Kind != Lost {
				ev.Key = s.short(ev.Key)
			}
			select {
			case out <- ev:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}

// Close does nothing: the engine belongs to whoever opened it.
func (s *Scope) Close() error { return nil }
