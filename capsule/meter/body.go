package meter

import "slices"

// flow is what is known of the cost at one place of a body, as the maximum over
// the paths that reach it.
type flow struct {
	live bool // some path reaches it
	debt int  // units spent but not taken from the fuel
	open int  // units taken since the last test of the fuel
}

func (f *flow) join(g flow) {
	if !g.live {
		return
	}
	if !f.live {
		*f = g
		return
	}
	f.debt, f.open = max(f.debt, g.debt), max(f.open, g.open)
}

// frame is an open block.
type frame struct {
	op    byte // opBlock, opLoop, opIf, opElse or opTryTable; opBlock for the function itself
	label flow // paths that branch to its label
	start flow // opIf: where its arms begin
	at    int  // opLoop: where the constant of its check stands, 0 if it has none
	arity int  // parameters and results
	entry bool // opLoop: its check is the function's entry check as well
}

// bodyWriter rewrites one function body at a time.
type bodyWriter struct {
	emitter
	m      *module
	frames []frame
	cur    flow
	exits  flow // paths that leave the function

	free    bool // a leaf: callers pay
	pending bool // the entry check is still to be placed
	entryAt int  // where the constant of the entry check stands, 0 if not placed
	base    int  // debt from the function's first instruction to the entry check
	merged  bool // the entry check is a loop's
	loopAt  int  // merged: where that loop begins
	loopMax int  // merged: what a round of it owes

	total     int  // sum of all costs, whatever the path
	mayRepeat bool // has a loop, a call, a throw or a bulk operation
	calls     bool // has called a function that is not a leaf
}

// rewrite turns over one body. The code is left in w.out; the declarations of
// its locals are returned.
func (w *bodyWriter) rewrite(index int, r *reader) []byte {
	m := w.m
	*w = bodyWriter{m: m, frames: w.frames[:0],
		emitter: w.emitter, cur: flow{live: true}, free: m.leaf[index] > 0}
	w.out, w.blocks, w.sites, w.values, w.pending = w.out[:0], 1, 0, 0, !w.free
	locals := m.locals(r)
	w.frames = append(w.frames, frame{op: opBlock, arity: m.arity[m.funcTypes[index]]})
	for len(w.frames) > 0 && r.err == nil {
		w.instruction(r)
	}
	if r.done("function body") != nil {
		return nil
	}
	w.setEntry()
	return locals
}

// setEntry fixes the charge at the entry: what precedes the check, and the most
// that any path still owes when it leaves. A loop that shares its check with the
// entry charges that if its rounds cost half as much; otherwise it is paid before the
// loop, so that the rounds do not pay it again and again.
func (w *bodyWriter) setEntry() {
	due := max(entryMin, w.base+w.exits.debt)
	switch {
	case w.entryAt == 0:
	case !w.merged:
		w.setCharge(w.entryAt, due)
	case 2*w.loopMax >= due:
		w.setCharge(w.entryAt, max(due, w.loopMax))
	default:
		w.setCharge(w.entryAt, max(1, w.loopMax))
		end := len(w.out)
		w.pay(due)
		pay := append([]byte(nil), w.out[end:]...)
		w.out = slices.Insert(w.out[:end], w.loopAt, pay...)
	}
}

// place puts the entry check here unless it is in place. It must stand before
// the first instruction that can leave the straight path from the entry.
func (w *bodyWriter) place() {
	if !w.pending || !w.cur.live {
		return
	}
	w.pending = false
	w.base, w.cur.debt, w.cur.open = w.cur.debt, 0, 0
	w.entryAt = w.check(0)
}

// add accounts for an instruction of cost c that follows.
func (w *bodyWriter) add(c int) {
	w.total += c
	if !w.cur.live || w.free {
		return
	}
	if w.pending && w.cur.debt+c > payAt {
		w.place()
	}
	if w.cur.debt > 0 && w.cur.open+w.cur.debt+c > checkAt {
		w.check(w.cur.debt)
		w.cur.debt, w.cur.open = 0, 0
	}
	w.cur.debt += c
}

// settle pays the debt if it is above limit.
func (w *bodyWriter) settle(limit int) {
	if !w.cur.live || w.free || w.cur.debt <= limit {
		return
	}
	w.place()
	if w.cur.open+w.cur.debt > checkAt {
		w.check(w.cur.debt)
		w.cur.open = 0
	} else if w.cur.debt > 0 {
		w.pay(w.cur.debt)
		w.cur.open += w.cur.debt
	}
	w.cur.debt = 0
}

// exit settles before a return, throw or tail call. After a call it tests the
// fuel, so that unwinding a deep recursion yields too.
func (w *bodyWriter) exit() {
	if w.calls && w.cur.live && w.cur.debt > payAtCall {
		w.check(w.cur.debt)
		w.cur.debt, w.cur.open = 0, 0
	}
	w.settle(payAtCall)
}

// leave ends the current path.
func (w *bodyWriter) leave() { w.cur = flow{} }

// branch settles before a branch to each of the labels and notes what the paths
// over it owe. It reports unknown labels on r.
func (w *bodyWriter) branch(r *reader, labels ...uint32) {
	w.place()
	w.blocks++
	outer := uint32(len(w.frames)) - 1
	leaves := false
	for _, l := range labels {
		if l > outer {
			r.fail("label %d inside %d blocks", l, len(w.frames))
			return
		}
		leaves = leaves || l == outer
	}
	if leaves {
		w.exit()
	} else {
		w.settle(payAt)
	}
	for _, l := range labels {
		w.target(l, w.cur)
	}
}

// target notes that a path in state f branches to label l.
func (w *bodyWriter) target(l uint32, f flow) {
	to := &w.frames[len(w.frames)-1-int(l)]
	w.values += to.arity
	if to == &w.frames[0] {
		w.exits.join(f)
		return
	}
	to.label.join(f)
}
