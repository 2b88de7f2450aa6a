package meter

// pieceSize bounds what one bulk operation on memory does between two tests of the
// fuel, in bytes: a fill of 64 MiB takes 4 to 9 ms, and as long again if it is the
// first to touch its pages, in which nothing can stop the goroutine.
const pieceSize = 1 << 20

// pieces are the functions that do bulk operations on memory piece by piece. They stand
// behind those of ownBodies, in the order in which the code first needs them. Each takes
// the operands of its operation, and traps on the same of them.
type pieces struct {
	first   uint32   // function index of the first
	ops     []pieced // what they do
	numbers map[pieced]uint32
}

// pieced is an operation that a function does: its opcode, and for memory.init the segment.
type pieced struct {
	op      byte
	segment uint32
}

// pieced tells whether an operation is done in pieces. That of a segment no longer than
// a piece need not be.
func (m *module) pieced(p pieced) bool {
	if !m.hasMemory {
		return false // it is not valid, and must stay so
	}
	if p.op != miscMemoryInit {
		return true
	}
	return m.out[secDataCount] != nil && uint64(p.segment) < uint64(len(m.dataSizes)) && int64(m.dataSizes[p.segment]) > m.o.piece
}

// callPiece calls the function that does the operation.
func (m *module) callPiece(e *emitter, p pieced) {
	n, ok := m.pieces.numbers[p]
	if !ok {
		if m.pieces.numbers == nil {
			m.pieces = pieces{first: m.refillFunc() + ownFuncs, numbers: make(map[pieced]uint32)}
		}
		n = uint32(len(m.pieces.ops))
		m.pieces.ops, m.pieces.numbers[p] = append(m.pieces.ops, p), n
	}
	e.sites++
	e.out = appendU32(append(e.out, opCall), m.pieces.first+n)
}

// pieceBodies appends the function bodies.
func (m *module) pieceBodies(out []byte, e *emitter) []byte {
	for _, p := range m.pieces.ops {
		e.out = e.out[:0]
		imm := []byte{0}
		switch p.op {
		case miscMemoryCopy:
			imm = []byte{0, 0}
		case miscMemoryInit:
			imm = append(appendU32(nil, m.dataIndex(p.segment)), 0)
		}
		op := func() { e.out = append(append(e.out, opMiscPrefix, p.op), imm...) }
		switch p.op {
		case miscMemoryFill:
			e.piecewise(op, func() { e.pastMemory(0) }, func() { e.step(0) })
		case miscMemoryCopy:
			e.copyPiecewise(op)
		case miscMemoryInit:
			size := int64(m.dataSizes[p.segment])
			e.piecewise(op, func() {
				e.pastMemory(0)
				// Nor past the segment. One that was dropped has no bytes: its first piece traps.
				e.get(1, opI64ExtendU)
				e.get(2, opI64ExtendU)
				e.out = appendSigned(append(e.out, opI64Add, opI64Const), size)
				e.out = append(e.out, opI64GtU, opI32Or)
			}, func() { e.step(0); e.step(1) })
		}
		out = appendBody(out, e.out)
	}
	return out
}

// The operands are locals 0 (destination), 1 (value, or source) and 2 (length).

// piecewise does op from low to high addresses. bounds leaves an i32 that is not zero
// if op would trap: then it is done as a whole, since it must trap before it writes.
func (e *emitter) piecewise(op, bounds, steps func()) {
	e.out = append(e.out, opBlock, blockEmpty)
	e.whole(op, bounds)
	e.out = append(e.out, opLoop, blockEmpty)
	e.chargePiece()
	e.get(0)
	e.get(1)
	e.out = appendSigned(append(e.out, opI32Const), e.piece)
	op()
	steps()
	e.shorten()
	e.again()
	e.out = append(e.out, opEnd, opEnd) // the loop, and the block that short ones leave
	e.rest(op)
	e.out = append(e.out, opEnd)
}

// copyPiecewise copies from low to high addresses if the destination is the lower
// one, else from high to low, so that pieces do not overwrite what is still to be read.
func (e *emitter) copyPiecewise(op func()) {
	e.out = append(e.out, opBlock, blockEmpty)
	e.whole(op, func() {
		e.pastMemory(0)
		e.pastMemory(1)
		e.out = append(e.out, opI32Or)
	})
	e.out = append(e.out, opLoop, blockEmpty)
	e.chargePiece()
	e.get(0)
	e.get(1)
	e.out = append(e.out, opI32GtU, opIf, blockEmpty)
	e.shorten()
	for local := range byte(2) {
		e.get(local)
		e.get(2)
		e.out = append(e.out, opI32Add)
	}
	e.out = appendSigned(append(e.out, opI32Const), e.piece)
	op()
	e.out = append(e.out, opElse)
	e.get(0)
	e.get(1)
	e.out = appendSigned(append(e.out, opI32Const), e.piece)
	op()
	e.step(0)
	e.step(1)
	e.shorten()
	e.out = append(e.out, opEnd)
	e.again()
	e.out = append(e.out, opEnd, opEnd) // the loop, and the block that short ones leave
	e.rest(op)
	e.out = append(e.out, opEnd)
}

// whole leaves the block around it if the length is one piece at most, and the function, after
// doing op, if op would trap.
func (e *emitter) whole(op, bounds func()) {
	e.get(2)
	e.out = append(appendSigned(append(e.out, opI32Const), e.piece), opI32LeU, opBrIf, 0)
	bounds()
	e.out = append(e.out, opIf, blockEmpty)
	e.get(0)
	e.get(1)
	e.get(2)
	op()
	e.out = append(e.out, opReturn, opEnd)
}

// rest does what is left, a piece at most.
func (e *emitter) rest(op func()) {
	e.sub()
	e.get(2)
	e.out = append(e.out, opI32Const, bulkShift, opI32ShrU)
	e.store()
	e.test()
	e.get(0)
	e.get(1)
	e.get(2)
	op()
}

// chargePiece pays for one piece and tests the fuel.
func (e *emitter) chargePiece() {
	e.sub()
	e.out = appendSigned(append(e.out, opI32Const), e.piece>>bulkShift)
	e.store()
	e.test()
}

// pastMemory leaves whether the range that begins at the local ends past the memory.
func (e *emitter) pastMemory(local byte) {
	e.get(local, opI64ExtendU)
	e.get(2, opI64ExtendU)
	e.out = append(e.out, opI64Add, opMemorySize, 0, opI64ExtendU, opI64Const, 16, opI64Shl, opI64GtU)
}

// step moves the local one piece on, shorten takes one off the length, and again goes back
// to the loop as long as more than one is left.
func (e *emitter) step(local byte) {
	e.get(local)
	e.out = append(appendSigned(append(e.out, opI32Const), e.piece), opI32Add, opLocalSet, local)
}

func (e *emitter) shorten() {
	e.get(2)
	e.out = append(appendSigned(append(e.out, opI32Const), e.piece), opI32Sub, opLocalSet, 2)
}

func (e *emitter) again() {
	e.get(2)
	e.out = append(appendSigned(append(e.out, opI32Const), e.piece), opI32GtU, opBrIf, 0)
}

// get is local.get, and what is done to it.
func (e *emitter) get(local byte, then ...byte) {
	e.out = append(append(e.out, opLocalGet, local), then...)
}
