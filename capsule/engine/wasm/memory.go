package wasm

import (
	"fmt"
	"os"
	"sync"

	"github.com/tetratelabs/wazero/experimental"
	"golang.org/x/sys/unix"
)

// linearMemory is the memory of one guest. It lies outside of Go's heap: the addresses for all it may become are
// reserved at once, and growing makes more of them usable. So nothing is copied, nothing moves, and nothing is
// cleared by Go, which would hold up its collector for as long as that takes; and an instance that ends gives its memory
// back to the system there and then.
//
// What aliases it (arguments of host functions) must not be used once it is unmapped, which Go's collector does not
// see to. So it is unmapped when it was freed and nobody holds it: whoever runs guest code does.
type linearMemory struct {
	mu    sync.Mutex
	all   []byte // all that is reserved; nil once it is unmapped
	ready uint64 // bytes of it that are usable: whole pages of the system
	begun bool   // it has its first size
	holds int
	freed bool
}

// eager is from where on memory is touched when the guest gets it, in bytes. A guest that touches new memory
// is slowed down by the system a thousandfold, so that all of it would take 20 ms between two yields. Up to here it
// takes less than two, and guests that leave it untouched do not pay for it.
const eager = 4 << 20

// memoryError says why there is no memory for a guest; it is what a linearMemory panics with.
type memoryError struct {
	size uint64
	what string
	err  error
}

func (e *memoryError) Error() string {
	return fmt.Sprintf("%s %d MiB for its memory: %v (is the address space or memory of the daemon limited, as by ulimit -v or ulimit -d?)", e.what, (e.size+1<<20-1)>>20, e.err)
}

func (e *memoryError) Unwrap() error { return e.err }

// allocator makes such a memory, held once, and sets *made to it.
func allocator(made **linearMemory) experimental.MemoryAllocatorFunc {
	return func(_, limit uint64) experimental.LinearMemory {
		m := &linearMemory{holds: 1}
		if limit > 0 {
			all, err := unix.Mmap(-1, 0, int(limit), unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON)
			if err != nil {
				panic(&memoryError{limit, "reserve", os.NewSyscallError("mmap", err)})
			}
			m.all = all
		}
		*made = m
		return m
	}
}

// Reallocate makes the memory size bytes long. If the first size cannot be had, it panics, because wazero has no
// other way to be told; after that it returns nil, which makes the guest's memory.grow fail.
func (m *linearMemory) Reallocate(size uint64) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.freed || size > uint64(len(m.all)) {
		return nil
	}
	first := !m.begun
	m.begun = true
	page := uint64(os.Getpagesize())
	want := min((size+page-1)&^(page-1), uint64(len(m.all)))
	if want > m.ready {
		if err := unix.Mprotect(m.all[m.ready:want], unix.PROT_READ|unix.PROT_WRITE); err != nil {
			if first {
				panic(&memoryError{size, "use", os.NewSyscallError("mprotect", err)})
			}
			return nil
		}
		for at := max(m.ready, eager); at < want; at += page {
			m.all[at] = 0
		}
		m.ready = want
	}
	return m.all[:size:size]
}

// Free gives the memory back, or has the last who holds it do that.
func (m *linearMemory) Free() {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.freed = true
	m.unmap()
}

// hold keeps the memory usable until drop. It tells whether it still is. No memory at all can always be held.
func (m *linearMemory) hold() bool {
	if m == nil {
		return true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.freed {
		return false
	}
	m.holds++
	return true
}

// drop ends a hold.
func (m *linearMemory) drop() {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.holds--
	m.unmap()
}

// unmap gives back what is freed and held by nobody. The lock is held.
func (m *linearMemory) unmap() {
	if !m.freed || m.holds > 0 || m.all == nil {
		return
	}
	if err := unix.Munmap(m.all); err != nil { // it is exactly what was mapped
		panic(os.NewSyscallError("munmap", err))
	}
	m.all = nil
}
