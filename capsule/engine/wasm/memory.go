package wasm

import (
	"context"

	"github.com/tetratelabs/wazero/experimental"
)

// linearMemory is the memory of one guest. It grows by copying piece by piece: one copy of 64 MiB
// takes 10 ms, during which Go's collector cannot stop the goroutine. What remains is that Go clears a
// large new buffer without a pause: BenchmarkHostileGC shows it for guests that take all they may at once.
type linearMemory struct {
	buf []byte
	max uint64
}

// copyPiece bounds what is copied at once, in bytes.
const copyPiece = 1 << 20

// withMemory makes modules that are instantiated with the context have such memories.
func withMemory(ctx context.Context) context.Context {
	return experimental.WithMemoryAllocator(ctx, experimental.MemoryAllocatorFunc(func(_, limit uint64) experimental.LinearMemory {
		return &linearMemory{max: limit}
	}))
}

// Reallocate makes the memory size bytes long.
func (m *linearMemory) Reallocate(size uint64) []byte {
	if size > m.max {
		return nil
	}
	if m.buf == nil || size > uint64(cap(m.buf)) {
		// A quarter more than what it had keeps the copies few and the waste small.
		room := min(max(size, uint64(cap(m.buf))*5/4), m.max)
		buf := make([]byte, size, room)
		for at := 0; at < len(m.buf); at += copyPiece {
			copy(buf[at:], m.buf[at:min(at+copyPiece, len(m.buf))])
		}
		m.buf = buf
	}
	m.buf = m.buf[:size]
	return m.buf
}

// Free forgets the memory.
func (m *linearMemory) Free() { m.buf = nil }
