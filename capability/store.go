package capability

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Store is the key-value storage tokens are kept in; the kernel passes its engine. It
// must be safe for concurrent use, and what it has accepted must be durable.
type Store interface {
	// Get returns an error that is fs.ErrNotExist if there is no such key.
	Get(ctx context.Context, key string) ([]byte, error)
	Put(ctx context.Context, key string, val []byte) error
	// Delete of a key that does not exist is no error.
	Delete(ctx context.Context, key string) error
	// List returns the keys with a prefix, ascending.
	List(ctx context.Context, prefix string) ([]string, error)
	// CompareAndSwap replaces old by new, or returns an error that is fs.ErrExist if the
	// value is not old. A nil old means that the key must not exist, a nil new deletes it.
	CompareAndSwap(ctx context.Context, key string, old, new []byte) error
}

// MemStore is a [Store] that forgets all when the process ends. Session tokens live in one.
type MemStore struct {
	mu sync.Mutex
	m  map[string][]byte
}

// NewMemStore returns an empty store.
func NewMemStore() *MemStore { return &MemStore{m: map[string][]byte{}} }

// Get implements [Store].
func (s *MemStore) Get(_ context.Context, key string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := s.m[key]; ok {
		return v, nil
	}
	return nil, fmt.Errorf("%w: %q", fs.ErrNotExist, key)
}

// Put implements [Store].
func (s *MemStore) Put(_ context.Context, key string, val []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.m[key] = bytes.Clone(val)
	return nil
}

// Delete implements [Store].
func (s *MemStore) Delete(_ context.Context, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.m, key)
	return nil
}

// List implements [Store].
func (s *MemStore) List(_ context.Context, prefix string) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for k := range maps.Keys(s.m) {
		if strings.HasPrefix(k, prefix) {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out, nil
}

// CompareAndSwap implements [Store].
func (s *MemStore) CompareAndSwap(_ context.Context, key string, old, new []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	have, ok := s.m[key]
	if ok != (old != nil) || !bytes.Equal(have, old) {
		return fmt.Errorf("%w: %q has changed", fs.ErrExist, key)
	}
	if new == nil {
		delete(s.m, key)
	} else {
		s.m[key] = bytes.Clone(new)
	}
	return nil
}

var _ Store = (*MemStore)(nil)
