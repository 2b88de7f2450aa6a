package meter

// emitter writes charges into a function body.
type emitter struct {
	out    []byte
	fuel   []byte // LEB of the fuel global's index
	refill []byte // LEB of the refill function's index

	piece    int64  // what a bulk operation does at once, in bytes
	bulkFunc uint32 // index of the first function that charges by length
	blocks   int    // basic blocks the compiler will see
	sites    int    // calls it will see
	values   int    // values it will see passed to calls and labels
}

// pay subtracts c units without a test.
func (e *emitter) pay(c int) {
	e.sub()
	e.constant(c)
	e.store()
}

// check subtracts c units and yields when none are left. It returns where the
// constant stands, for setCharge.
func (e *emitter) check(c int) int {
	e.sub()
	at := e.constant(c)
	e.store()
	e.test()
	return at
}

func (e *emitter) sub() {
	e.out = append(append(e.out, opGlobalGet), e.fuel...)
}

func (e *emitter) store() {
	e.out = append(e.out, opI32Sub, opGlobalSet)
	e.out = append(e.out, e.fuel...)
}

func (e *emitter) test() {
	e.blocks += 2
	e.sites++
	e.out = append(append(e.out, opGlobalGet), e.fuel...)
	e.out = append(e.out, opI32Const, 0, opI32LtS, opIf, blockEmpty, opCall)
	e.out = append(append(e.out, e.refill...), opEnd)
}

// constant emits i32.const c in a fixed width of two bytes, which holds up to
// 8,191, so that it can be set later.
func (e *emitter) constant(c int) int {
	e.out = append(e.out, opI32Const, 0, 0)
	at := len(e.out) - 2
	e.setCharge(at, c)
	return at
}

func (e *emitter) setCharge(at, c int) {
	e.out[at], e.out[at+1] = byte(c)|0x80, byte(c>>7)&0x7f
}

// bulk charges by the i32 length on top of the operand stack, which it leaves
// there. It calls a function for that: the operation that follows leaves the
// compiled code anyhow, and blocks in line make compiling slower.
func (e *emitter) bulk(kind bulkKind) {
	e.sites += 2 // this one and the operation
	e.out = appendU32(append(e.out, opCall), e.bulkFunc+uint32(kind))
}

// bulkKind says in what the length of a bulk operation is counted.
type bulkKind uint8

const (
	bulkBytes bulkKind = iota
	bulkEntries
	bulkPages
	bulkNone

	bulkKinds = 3
)
