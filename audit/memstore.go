package audit

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
)

// MemStore is a [Store] and an [Anchor] that forgets all when the process ends: for a
// daemon configured without audit directory, and for tests of other packages.
type MemStore struct {
	mu     sync.Mutex
	chains map[string]map[string]*memSegment
	heads  map[string][]byte
	locked map[string]bool
}

// NewMemStore returns an empty store.
func NewMemStore() *MemStore {
	return &MemStore{chains: map[string]map[string]*memSegment{}, heads: map[string][]byte{}, locked: map[string]bool{}}
}

type memSegment struct {
	mu   sync.Mutex
	data []byte
}

// Principals implements [Store] and [AnchorLister].
func (m *MemStore) Principals(context.Context) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := slices.AppendSeq(slices.Collect(maps.Keys(m.chains)), maps.Keys(m.heads))
	slices.Sort(out)
	return slices.Compact(out), nil
}

// Segments implements [Store].
func (m *MemStore) Segments(_ context.Context, principal string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.chains[principal])), nil
}

// Open implements [Store].
func (m *MemStore) Open(_ context.Context, principal, segment string) (Source, error) {
	m.mu.Lock()
	s := m.chains[principal][segment]
	m.mu.Unlock()
	if s == nil {
		return nil, fmt.Errorf("audit: no segment %s/%s", principal, segment)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return memSource{s.data}, nil
}

// Append implements [Store].
func (m *MemStore) Append(_ context.Context, principal, segment string) (Segment, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.chains[principal] == nil {
		m.chains[principal] = map[string]*memSegment{}
	}
	if m.chains[principal][segment] == nil {
		m.chains[principal][segment] = &memSegment{}
	}
	return m.chains[principal][segment], nil
}

// Lock implements [Store].
func (m *MemStore) Lock(_ context.Context, principal string) (func() error, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.locked[principal] {
		return nil, fmt.Errorf("%w: %s", ErrLocked, principal)
	}
	m.locked[principal] = true
	return func() error {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.locked, principal)
		return nil
	}, nil
}

// Retire implements [Store]. What was retired is gone.
func (m *MemStore) Retire(_ context.Context, principal, _ string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.chains[principal] = map[string]*memSegment{}
	return nil
}

// Load implements [Anchor].
func (m *MemStore) Load(_ context.Context, principal string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if h, ok := m.heads[principal]; ok {
		return h, nil
	}
	return nil, fmt.Errorf("%w: %s", ErrNoAnchor, principal)
}

// Save implements [Anchor].
func (m *MemStore) Save(_ context.Context, principal string, head []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.heads[principal] = slices.Clone(head)
	return nil
}

func (s *memSegment) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data = append(s.data, b...)
	return len(b), nil
}

func (s *memSegment) Size() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int64(len(s.data))
}

func (s *memSegment) Truncate(size int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	// A copy: open sources keep what they saw.
	s.data = slices.Clone(s.data[:min(size, int64(len(s.data)))])
	return nil
}

func (s *memSegment) Sync() error  { return nil }
func (s *memSegment) Close() error { return nil }

type memSource struct{ data []byte }

func (s memSource) ReadAt(b []byte, off int64) (int, error) {
	if off >= int64(len(s.data)) {
		return 0, io.EOF
	}
	n := copy(b, s.data[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (s memSource) Size() int64  { return int64(len(s.data)) }
func (s memSource) Close() error { return nil }

var (
	_ Store  = (*MemStore)(nil)
	_ Anchor = (*MemStore)(nil)
)
