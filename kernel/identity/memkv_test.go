package identity_test

import (
	"context"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
)

// memKV is the least that identity.KV asks for.
type memKV struct {
	mu   sync.Mutex
	vals map[string]string
}

func (m *memKV) Get(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.vals[key]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return []byte(v), nil
}

func (m *memKV) Put(_ context.Context, key string, val []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.vals[key] = string(val)
	return nil
}

func (m *memKV) Scan(_ context.Context, prefix string, fn func(string, []byte) error) error {
	m.mu.Lock()
	all := maps.Clone(m.vals)
	m.mu.Unlock()
	for _, k := range slices.Sorted(maps.Keys(all)) {
		if strings.HasPrefix(k, prefix) {
			if err := fn(k, []byte(all[k])); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *memKV) CompareAndSwap(_ context.Context, key string, old, new []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	cur, ok := m.vals[key]
	if ok != (old != nil) || ok && cur != string(old) {
		return fs.ErrExist
	}
	if new == nil {
		delete(m.vals, key)
	} else {
		m.vals[key] = string(new)
	}
	return nil
}
