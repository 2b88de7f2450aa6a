package storage

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// memEngine keeps everything in a map, and the keys sorted beside it. Inserting a new key moves the keys behind it,
// which is fine for the sizes it is meant for: tests and daemons without a disk.
type memEngine struct {
	mu     sync.RWMutex
	closed bool
	vals   map[string][]byte
	keys   []string
	hub    hub
}

var _ Engine = (*memEngine)(nil)

// NewMem returns an empty engine in memory, the same as Open with "mem:".
func NewMem() Engine { return &memEngine{vals: map[string][]byte{}} }

func openMem(_ context.Context, rest string) (Engine, error) {
	if rest != "" {
		return nil, fmt.Errorf("storage: \"mem:%s\": the mem engine takes no argument, write \"mem:\"", rest)
	}
	return NewMem(), nil
}

func (e *memEngine) get(key string) ([]byte, bool) {
	val, ok := e.vals[key]
	return val, ok
}

func (e *memEngine) ascend(from string, _ bool, visit func(string, []byte) bool) {
	i, _ := slices.BinarySearch(e.keys, from)
	for _, key := range e.keys[i:] {
		if !visit(key, e.vals[key]) {
			return
		}
	}
}

func (e *memEngine) Get(ctx context.Context, key string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := checkKey(key); err != nil {
		return nil, err
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.closed {
		return nil, ErrClosed
	}
	val, ok := e.vals[key]
	if !ok {
		return nil, notFound(key)
	}
	return copyOf(val), nil
}

func (e *memEngine) Put(ctx context.Context, key string, val []byte) error {
	return e.Update(ctx, func(tx Tx) error { return tx.Put(key, val) })
}

func (e *memEngine) Delete(ctx context.Context, key string) error {
	return e.Update(ctx, func(tx Tx) error { return tx.Delete(key) })
}

func (e *memEngine) CompareAndSwap(ctx context.Context, key string, old, new []byte) error {
	return e.Update(ctx, swap(key, old, new))
}

func (e *memEngine) List(ctx context.Context, prefix string) ([]string, error) {
	return list(ctx, e, prefix)
}

func (e *memEngine) Scan(ctx context.Context, prefix string, fn func(string, []byte) error) error {
	return scan(ctx, e, prefix, fn)
}

func (e *memEngine) view(fn func(reader)) error {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.closed {
		return ErrClosed
	}
	fn(e)
	return nil
}

func (e *memEngine) Update(ctx context.Context, fn func(Tx) error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if e.closed {
		return ErrClosed
	}
	b := &buffer{base: e}
	if err := b.run(fn); err != nil {
		return err
	}
	for key, w := range b.writes {
		e.apply(key, w)
	}
	e.hub.publish(b.writes)
	return nil
}

func (e *memEngine) apply(key string, w write) {
	i, found := slices.BinarySearch(e.keys, key)
	switch {
	case w.deleted:
		if found {
			e.keys = slices.Delete(e.keys, i, i+1)
			delete(e.vals, key)
		}
	default:
		if !found {
			e.keys = slices.Insert(e.keys, i, strings.Clone(key))
		}
		e.vals[key] = w.val
	}
}

func (e *memEngine) Watch(ctx context.Context, prefix string) (<-chan Event, error) {
	return e.hub.watch(ctx, prefix)
}

func (e *memEngine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	e.vals, e.keys = nil, nil
	e.hub.close()
	return nil
}
