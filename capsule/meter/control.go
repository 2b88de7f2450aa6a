package meter

// control copies an instruction of control flow whose opcode is op.
func (w *bodyWriter) control(r *reader, op byte) {
	switch op {
	case opBlock, opLoop, opIf, opTryTable:
		w.open(r, op)
	case opElse:
		w.otherwise(r)
	case opEnd:
		w.close()
	case opBr, opBrIf, opBrOnNull, opBrOnNonNull:
		l := r.u32()
		w.branch(r, l)
		w.out = appendU32(append(w.out, op), l)
		if op == opBr {
			w.leave()
		}
	case opBrTable:
		w.brTable(r)
	case opReturn, opThrowRef:
		w.mayRepeat = w.mayRepeat || op == opThrowRef
		w.place()
		w.exit()
		w.values += w.frames[0].arity
		w.out = append(w.out, op)
		w.exits.join(w.cur)
		w.leave()
	case opThrow:
		w.mayRepeat = true
		w.place()
		w.exit()
		w.out = appendU32(append(w.out, op), r.u32())
		w.exits.join(w.cur)
		w.leave()
	default:
		w.call(r, op)
	}
}

// open copies the start of a block.
func (w *bodyWriter) open(r *reader, op byte) {
	if len(w.frames) > w.m.o.MaxNesting {
		r.failAs(ErrLimit, "more than %d nested blocks", w.m.o.MaxNesting)
		return
	}
	f := frame{op: op}
	w.blocks += blocksOf[op]
	switch op {
	case opIf:
		w.place()
		w.settle(payAt)
		f.start = w.cur
	case opTryTable:
		w.place()
		w.settle(payAt)
	case opLoop:
		w.mayRepeat = true
		if !w.pending {
			w.settle(payAtLoop)
		}
	}
	at := len(w.out)
	w.out, f.arity = w.m.blockType(r, append(w.out, op))
	w.values += f.arity
	switch {
	case op == opTryTable:
		w.mayRepeat = true
		w.catches(r)
	case op == opLoop && w.cur.live:
		f.at = w.check(0)
		if w.pending {
			f.entry, w.pending, w.merged = true, false, true
			w.base, w.entryAt, w.loopAt = w.cur.debt, f.at, at
		} else {
			f.label = w.cur
		}
		w.cur.debt, w.cur.open = 0, 0
	}
	w.frames = append(w.frames, f)
}

// blocksOf says into how many basic blocks wazero turns a block instruction.
var blocksOf = map[byte]int{opBlock: 1, opLoop: 2, opIf: 3, opTryTable: 3}

// catches copies the catch clauses of a try_table. A throw inside may come from
// any call, which leaves at most catchDebt unpaid.
func (w *bodyWriter) catches(r *reader) {
	n := r.count("catch clauses", w.m.o.MaxBrTable)
	w.out = appendU32(w.out, uint32(n))
	for ; n > 0 && r.err == nil; n-- {
		kind := r.byte()
		w.out = append(w.out, kind)
		switch kind {
		case 0, 1: // catch, catch_ref: a tag
			w.out = appendU32(w.out, r.u32())
		case 2, 3: // catch_all, catch_all_ref
		default:
			r.fail("catch clause %#x", kind)
		}
		l := r.u32()
		w.out = appendU32(w.out, l)
		if l >= uint32(len(w.frames)) {
			r.fail("label %d inside %d blocks", l, len(w.frames))
			return
		}
		w.target(l, flow{live: w.cur.live, debt: catchDebt, open: checkAt})
	}
}

const catchDebt = payAtCall + costIndirect

// otherwise copies an else.
func (w *bodyWriter) otherwise(r *reader) {
	f := &w.frames[len(w.frames)-1]
	if f.op != opIf {
		r.fail("else without if")
		return
	}
	w.settle(payAt)
	w.out = append(w.out, opElse)
	f.op = opElse
	f.label.join(w.cur)
	w.cur = f.start
}

// close copies an end.
func (w *bodyWriter) close() {
	last := len(w.frames) - 1
	f := &w.frames[last]
	if last == 0 {
		w.place()
		w.exit()
		w.exits.join(w.cur)
		w.out = append(w.out, opEnd)
		w.frames = w.frames[:0]
		return
	}
	if f.op == opLoop {
		w.closeLoop(f)
	} else {
		if f.op == opIf {
			f.label.join(f.start)
		}
		if f.label.live {
			w.settle(payAt)
		}
		w.cur.join(f.label)
	}
	w.out = append(w.out, opEnd)
	w.frames = w.frames[:last]
}

// closeLoop sets what each arrival at the loop's head pays: the most that is
// owed on the way in and by any round.
func (w *bodyWriter) closeLoop(f *frame) {
	switch {
	case f.at == 0:
	case f.entry:
		w.loopMax = f.label.debt
	default:
		w.setCharge(f.at, max(1, f.label.debt))
	}
}

// brTable copies a br_table.
func (w *bodyWriter) brTable(r *reader) {
	n := r.count("br_table targets", w.m.o.MaxBrTable)
	labels := make([]uint32, n+1)
	for i := range labels {
		labels[i] = r.u32()
	}
	if r.err != nil {
		return
	}
	w.branch(r, labels...)
	w.out = appendU32(append(w.out, opBrTable), uint32(n))
	for _, l := range labels {
		w.out = appendU32(w.out, l)
	}
	w.leave()
}

// call copies a call of any kind.
func (w *bodyWriter) call(r *reader, op byte) {
	w.sites++
	switch op {
	case opCall, opReturnCall:
		f := r.u32()
		if f >= w.m.nFuncs() {
			r.fail("function index %d, the module has %d", f, w.m.nFuncs())
			return
		}
		w.values += w.m.funcArity(f)
		w.callCost(op, f)
		w.out = appendU32(append(w.out, op), w.m.newFunc(f))
	default:
		w.leap(costIndirect - costCall)
		t := r.u32()
		w.values += w.m.checkType(r, t)
		w.out = appendU32(append(w.out, op), t)
		if op == opCallIndirect || op == opReturnCallInd {
			w.out = appendU32(w.out, r.u32()) // table
		}
	}
	switch op {
	case opReturnCall, opReturnCallInd, opReturnCallRef:
		w.exits.join(w.cur)
		w.leave()
	}
}

// callCost accounts for a call of function f, of which costCall is in the debt.
func (w *bodyWriter) callCost(op byte, f uint32) {
	switch {
	case f < w.m.impFuncs:
		w.leap(costHost)
	case w.m.leaf[f-w.m.impFuncs] > 0 && op == opCall:
		w.add(int(w.m.leaf[f-w.m.impFuncs]))
	default:
		w.leap(0)
	}
}

// leap settles before a call to code that may call back, run long or throw, and
// accounts for its cost.
func (w *bodyWriter) leap(c int) {
	w.mayRepeat = true
	w.place()
	w.settle(payAtCall)
	w.calls = true
	w.add(c)
}
