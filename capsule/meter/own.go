package meter

// What the rewritten module has of its own, each behind the input's: three types,
// the import of yield, the fuel global, four functions, and those of pieces.go.
const (
	ownTypes = 3
	ownFuncs = 1 + bulkKinds
)

// ownTypeDecls are () -> (), for yield and refill, (i32) -> (i32), for the
// functions that charge by length, and (i32, i32, i32) -> (), for bulk operations.
var ownTypeDecls = []byte{formFunc, 0, 0, formFunc, 1, typeI32, 1, typeI32, formFunc, 3, typeI32, typeI32, typeI32, 0}

func (m *module) yieldImport(out []byte) []byte {
	out = append(appendName(appendName(out, YieldModule), YieldName), externFunc)
	return appendU32(out, m.nTypes)
}

// fuelDecl is the declaration of the fuel global.
func (m *module) fuelDecl() []byte {
	return append(appendSigned([]byte{typeI32, 1, opI32Const}, int64(m.o.quantum)), opEnd)
}

// functionSection is the function section: the types of the defined functions and of the
// module's own.
func (m *module) functionSection() []byte {
	out := appendU32(nil, uint32(len(m.funcTypes)+ownFuncs+len(m.pieces.ops)))
	for _, t := range m.funcTypes {
		out = appendU32(out, t)
	}
	out = appendU32(out, m.nTypes)
	for range bulkKinds {
		out = appendU32(out, m.nTypes+1)
	}
	for range len(m.pieces.ops) {
		out = appendU32(out, m.nTypes+2)
	}
	return out
}

func (m *module) ownBodies(out []byte, e *emitter) []byte {
	e.out = e.out[:0]
	m.refillBody(e)
	out = appendBody(out, e.out)
	for kind := range bulkNone {
		e.out = e.out[:0]
		e.bulkBody(kind)
		out = appendBody(out, e.out)
	}
	return m.pieceBodies(out, e)
}

// appendBody appends a function body without locals.
func appendBody(out, code []byte) []byte {
	out = append(appendU32(out, uint32(len(code))+1), 0)
	return append(out, code...)
}

// refillBody is the function that a failed check calls: it refills the fuel
// first, so that the state is sound whatever the host does, and then yields.
func (m *module) refillBody(e *emitter) {
	e.out = appendSigned(append(e.out, opI32Const), int64(m.o.quantum))
	e.out = append(append(e.out, opGlobalSet), e.fuel...)
	e.out = appendU32(append(e.out, opCall), m.yieldFunc())
	e.out = append(e.out, opEnd)
}

// bulkBody charges by its parameter and returns it. No charge reaches 1<<31, so
// that the fuel, which is not far below zero before, cannot wrap.
func (e *emitter) bulkBody(kind bulkKind) {
	e.sub()
	e.out = append(e.out, opLocalGet, 0)
	switch kind {
	case bulkPages: // min(n, maxPages) << pageShift: a larger n fails at once
		e.out = appendSigned(append(e.out, opI32Const), maxPages)
		e.out = append(e.out, opLocalGet, 0)
		e.out = appendSigned(append(e.out, opI32Const), maxPages)
		e.out = append(e.out, opI32LtU, opSelect, opI32Const, pageShift, opI32Shl)
	case bulkEntries:
		e.out = append(e.out, opI32Const, entryShift, opI32ShrU)
	case bulkBytes:
		e.out = append(e.out, opI32Const, bulkShift, opI32ShrU)
	}
	e.store()
	e.test()
	e.out = append(e.out, opLocalGet, 0, opEnd)
}
