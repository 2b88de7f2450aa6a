package host

import (
	"encoding/binary"
	"slices"
	"sort"
)

// Bounds of a guest's Extism memory.
const (
	extismFirst    = 64      // the lowest offset: smaller ones are never handles
	extismOverhead = 64      // what a block costs besides its bytes
	extismBlocks   = 1 << 16 // blocks at once: the list of them is moved as a whole when it grows
	extismResults  = 64      // results of host functions that are kept
	extismVars     = 1 << 20 // bytes of all variables together
	extismVarCost  = 48      // what a variable costs besides key and value
)

// extismMemory is the memory that a guest of the Extism convention shares with the host:
// blocks of bytes that are named by their offset in a space of 64 bits. A guest can do to
// it what it likes: what lies outside of a block reads as 0 and cannot be written, blocks are
// never adjacent, and an offset is not used again before the memory is empty. So a stale handle finds
// nothing, rather than what belongs to somebody else.
type extismMemory struct {
	blocks []extismBlock // ascending by offset; freed ones among them until compact
	freed  int           // how many of them
	last   int           // index of the block that was found last
	next   uint64        // offset of the next block
	used   uint64        // bytes of live blocks, each with its overhead

	input, output extismSpan
	err           uint64   // offset of the error's block; 0: no error
	kept          uint64   // offset of a freed block that the output still lies in; 0: none
	results       []uint64 // blocks that the host made and the guest has not freed, oldest first

	vars     map[string][]byte // outlive a call
	varBytes int
}

type extismBlock struct {
	off  uint64
	n    uint64 // its length as the guest knows it; 0: freed
	data []byte // rounded up to words of 8 bytes; nil: gone
}

// extismSpan is [off, off+n).
type extismSpan struct{ off, n uint64 }

// blockCost is what a block of n bytes adds to used.
func blockCost(n uint64) uint64 { return (n+7)&^7 + extismOverhead }

// fits tells whether a block of n bytes can be made without exceeding limit.
func (m *extismMemory) fits(n, limit uint64) bool {
	return n <= limit && m.size()+blockCost(n) <= limit && len(m.blocks)-m.freed < extismBlocks
}

// size is what the memory holds now, in bytes.
func (m *extismMemory) size() uint64 { return m.used + uint64(m.varBytes) }

// alloc makes a block of n bytes, all 0, and returns its offset. The caller has checked that it fits.
func (m *extismMemory) alloc(n uint64) uint64 {
	if n == 0 {
		return 0
	}
	if m.freed == len(m.blocks) {
		m.reset()
	}
	off := max(m.next, extismFirst)
	size := (n + 7) &^ 7
	m.blocks = append(m.blocks, extismBlock{off, n, make([]byte, size)})
	m.last = len(m.blocks) - 1
	m.next = off + size + 8 // a gap: running over the end finds nothing
	m.used += blockCost(n)
	return off
}

// put makes a block that holds b. The caller has checked that it fits.
func (m *extismMemory) put(b []byte) uint64 {
	off := m.alloc(uint64(len(b)))
	if off != 0 {
		move(m.blocks[m.last].data, b)
	}
	return off
}

// find returns the block that the byte at off is in, or nil.
func (m *extismMemory) find(off uint64) *extismBlock {
	if m.last < len(m.blocks) {
		if b := &m.blocks[m.last]; off-b.off < uint64(len(b.data)) {
			return b
		}
	}
	i := sort.Search(len(m.blocks), func(i int) bool { return m.blocks[i].off > off }) - 1
	if i < 0 || off-m.blocks[i].off >= uint64(len(m.blocks[i].data)) {
		return nil
	}
	m.last = i
	return &m.blocks[i]
}

// block returns the active block that starts at off, or nil.
func (m *extismMemory) block(off uint64) *extismBlock {
	if b := m.find(off); b != nil && b.off == off && b.n > 0 {
		return b
	}
	return nil
}

// length is the length of the active block that starts at off, or 0.
func (m *extismMemory) length(off uint64) uint64 {
	if b := m.block(off); b != nil {
		return b.n
	}
	return 0
}

// bytes returns the block that starts at off, not copied; false if there is none.
func (m *extismMemory) bytes(off uint64) ([]byte, bool) {
	b := m.block(off)
	if b == nil {
		return nil, false
	}
	return b.data[:b.n:b.n], true
}

// free gives back the block that starts at off. The bytes of the output stay readable for
// the host: some guests free them before they return.
func (m *extismMemory) free(off uint64) {
	b := m.block(off)
	if b == nil {
		return
	}
	if m.input.off == off {
		m.input = extismSpan{}
	}
	if m.err == off {
		m.err = 0
	}
	b.n = 0
	if m.output.n > 0 && m.output.off-off < uint64(len(b.data)) {
		m.kept = off
		return
	}
	m.drop(b)
}

// drop forgets the bytes of a block.
func (m *extismMemory) drop(b *extismBlock) {
	m.used -= uint64(len(b.data)) + extismOverhead
	b.data, b.n = nil, 0
	// Moving blocks together when most are gone keeps this at constant cost.
	if m.freed++; m.freed > 64 && m.freed > len(m.blocks)/2 {
		m.blocks = slices.DeleteFunc(m.blocks, func(b extismBlock) bool { return b.data == nil })
		m.freed, m.last = 0, 0
	}
}

// setOutput makes [off, off+n) the output. A range outside of one block is ignored.
func (m *extismMemory) setOutput(off, n uint64) {
	if !m.inside(off, n) {
		return
	}
	m.output = extismSpan{off, n}
	if m.kept != 0 && m.find(off).off != m.kept {
		m.drop(m.find(m.kept))
		m.kept = 0
	}
}

// setInput makes [off, off+n) the input. A range outside of one block is ignored.
func (m *extismMemory) setInput(off, n uint64) {
	if m.inside(off, n) {
		m.input = extismSpan{off, n}
	}
}

// inside tells whether [off, off+n) lies in one block.
func (m *extismMemory) inside(off, n uint64) bool {
	b := m.find(off)
	return b != nil && n <= uint64(len(b.data))-(off-b.off)
}

// loadByte, loadWord, storeByte and storeWord take what is outside of blocks for 0, and do
// not change it. A word that begins in a block ends in it, but for its last 7 bytes.
func (m *extismMemory) loadByte(off uint64) byte {
	if b := m.find(off); b != nil {
		return b.data[off-b.off]
	}
	return 0
}

func (m *extismMemory) loadWord(off uint64) uint64 {
	b := m.find(off)
	if b == nil {
		return 0
	}
	rest := b.data[off-b.off:]
	if len(rest) >= 8 {
		return binary.LittleEndian.Uint64(rest)
	}
	var w [8]byte
	copy(w[:], rest)
	return binary.LittleEndian.Uint64(w[:])
}

func (m *extismMemory) storeByte(off uint64, v byte) {
	if b := m.find(off); b != nil {
		b.data[off-b.off] = v
	}
}

func (m *extismMemory) storeWord(off, v uint64) {
	b := m.find(off)
	if b == nil {
		return
	}
	rest := b.data[off-b.off:]
	if len(rest) >= 8 {
		binary.LittleEndian.PutUint64(rest, v)
		return
	}
	var w [8]byte
	binary.LittleEndian.PutUint64(w[:], v)
	copy(rest, w[:])
}

// inputByte and inputWord read the input at rel; what is not wholly in it is 0.
func (m *extismMemory) inputByte(rel uint64) byte {
	if rel >= m.input.n {
		return 0
	}
	return m.loadByte(m.input.off + rel)
}

func (m *extismMemory) inputWord(rel uint64) uint64 {
	if m.input.n < 8 || rel > m.input.n-8 {
		return 0
	}
	return m.loadWord(m.input.off + rel)
}

// out returns the output, not copied.
func (m *extismMemory) out() []byte {
	b := m.find(m.output.off)
	if b == nil || m.output.n == 0 {
		return nil
	}
	at := m.output.off - b.off
	return b.data[at : at+m.output.n]
}

// reset forgets all but the variables.
func (m *extismMemory) reset() {
	clear(m.blocks)
	if cap(m.blocks) > 1024 {
		m.blocks = nil
	}
	*m = extismMemory{blocks: m.blocks[:0], results: m.results[:0], vars: m.vars, varBytes: m.varBytes}
}

// made notes a block that the host made for the guest. Guests copy what they get and never
// free it, so the oldest ones go: a run loop, which has no end, would fill its memory.
func (m *extismMemory) made(off uint64) {
	if off != 0 {
		m.reclaim(extismResults - 1)
		m.results = append(m.results, off)
	}
}

// renew makes a block that the host made the newest of them.
func (m *extismMemory) renew(off uint64) {
	if i := slices.Index(m.results, off); i >= 0 {
		m.results = append(slices.Delete(m.results, i, i+1), off)
	}
}

// reclaim frees all but the newest keep blocks that the host made.
func (m *extismMemory) reclaim(keep int) {
	n := len(m.results) - keep
	if n <= 0 {
		return
	}
	for _, off := range m.results[:n] {
		m.free(off)
	}
	m.results = slices.Delete(m.results, 0, n)
}

// setVar sets a variable, or removes it if val is nil. It reports whether there was room.
func (m *extismMemory) setVar(key string, val []byte) bool {
	old, had := m.vars[key]
	size := m.varBytes
	if had {
		size -= len(key) + len(old) + extismVarCost
	}
	if val == nil {
		delete(m.vars, key)
		m.varBytes = size
		return true
	}
	if size += len(key) + len(val) + extismVarCost; size > extismVars {
		return false
	}
	if m.vars == nil {
		m.vars = make(map[string][]byte)
	}
	m.vars[key], m.varBytes = slices.Clone(val), size
	return true
}
