package meter

// code splits the code section into bodies; rewriteCode turns them over once
// all index spaces are known.
func (m *module) code(r *reader) []byte {
	n := r.count("function bodies", m.o.MaxFunctions)
	for i := 0; i < n && r.err == nil; i++ {
		size := r.u32()
		if r.err == nil && uint64(size) > uint64(m.o.MaxBody) {
			r.failAs(ErrLimit, "function body of %d bytes, at most %d", size, m.o.MaxBody)
		}
		m.bodies = append(m.bodies, r.sub(size))
	}
	return nil
}

// leafBytes bounds the bodies that are looked at as possible leaves. With a byte
// or more per unit, longer ones cost more than leafMax or are mostly constants.
const leafBytes = 96

// rewriteCode returns the new code section: the bodies with their charges and
// the module's own functions.
func (m *module) rewriteCode() ([]byte, error) {
	w := &bodyWriter{m: m, emitter: emitter{
		piece:  m.o.piece,
		fuel:   appendU32(nil, m.fuelGlobal()),
		refill: appendU32(nil, m.refillFunc()), bulkFunc: m.refillFunc() + 1,
	}}
	m.leaf = make([]uint16, len(m.bodies))
	leaf := make([]uint16, len(m.bodies))
	for i, r := range m.bodies {
		if len(r.b) > leafBytes {
			continue
		}
		trial := *r
		if w.rewrite(i, &trial); trial.err != nil {
			return nil, trial.err
		}
		if !w.mayRepeat && w.total <= leafMax {
			leaf[i] = uint16(w.total + 1)
		}
	}
	m.leaf, m.nLocals = leaf, 0

	var out []byte
	effort := 0
	for i, r := range m.bodies {
		locals := w.rewrite(i, r)
		if r.err != nil {
			return nil, r.err
		}
		if effort += m.effort(r, w); r.err == nil && effort > m.o.MaxEffort {
			r.failAs(ErrLimit, "effort to compile above %d, %d blocks in function %d", m.o.MaxEffort, w.blocks, i)
		}
		if r.err != nil {
			return nil, r.err
		}
		out = appendU32(out, uint32(len(locals)+len(w.out)))
		out = append(append(out, locals...), w.out...)
		if len(out) > m.o.MaxOutput {
			r.failAs(ErrLimit, "more than %d bytes after metering", m.o.MaxOutput)
			return nil, r.err
		}
	}
	n := appendU32(nil, uint32(len(m.bodies)+ownFuncs+len(m.pieces.ops)))
	return m.ownBodies(append(n, out...), &w.emitter), nil
}

// effort is what compiling the last body costs, as Options.MaxEffort counts. It
// reports a body that would take the compiler too much memory on r.
func (m *module) effort(r *reader, w *bodyWriter) int {
	reloads := w.sites*(m.nMutable+1) + w.values
	if r.err == nil && reloads > m.o.MaxReloads {
		r.failAs(ErrLimit, "%d calls with %d mutable globals, %d values passed", w.sites, m.nMutable, w.values)
	}
	return w.blocks*w.blocks + 60*reloads
}

// locals copies the local declarations of a body.
func (m *module) locals(r *reader) []byte {
	n := r.count("local declarations", m.o.MaxLocals)
	out := appendU32(nil, uint32(n))
	sum := uint64(0)
	for i := 0; i < n && r.err == nil; i++ {
		c := r.u32()
		out = m.valType(r, appendU32(out, c))
		sum += uint64(c)
	}
	if sum > uint64(m.o.MaxLocals) {
		r.failAs(ErrLimit, "%d locals in a function, at most %d", sum, m.o.MaxLocals)
		return nil
	}
	if m.nLocals += int(sum); m.nLocals > m.o.MaxAllLocals {
		r.failAs(ErrLimit, "more than %d locals in all functions", m.o.MaxAllLocals)
	}
	return out
}
