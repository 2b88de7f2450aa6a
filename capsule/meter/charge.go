package meter

// emitter writes charges into a function body.
type emitter struct {
	out    []byte
	fuel   []byte // LEB of the fuel global's index
	refill []byte // LEB of the refill function's index
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
// there. scratch is a local of type i32. No charge reaches 1<<31, so that the
// fuel, which is not negative after a check, cannot wrap.
func (e *emitter) bulk(scratch uint32, kind bulkKind) {
	get := func() { e.out = appendU32(append(e.out, opLocalGet), scratch) }
	e.out = appendU32(append(e.out, opLocalTee), scratch)
	e.sub()
	get()
	switch kind {
	case bulkPages: // min(n, maxPages) << pageShift: a larger n fails at once
		e.out = appendSigned(append(e.out, opI32Const), maxPages)
		get()
		e.out = appendSigned(append(e.out, opI32Const), maxPages)
		e.out = append(e.out, opI32LtU, opSelect, opI32Const, pageShift, opI32Shl)
	case bulkEntries:
		e.out = append(e.out, opI32Const, entryShift, opI32ShrU)
	case bulkBytes:
		e.out = append(e.out, opI32Const, bulkShift, opI32ShrU)
	}
	e.store()
	e.test()
}

type bulkKind uint8

const (
	bulkNone bulkKind = iota
	bulkBytes
	bulkEntries
	bulkPages
)
