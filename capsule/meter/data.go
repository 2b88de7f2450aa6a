package meter

// dataCount reads the number of data segments, which is written when it is known in how many the long ones are split.
func (m *module) dataCount(r *reader) []byte {
	m.dataCounted = r.u32()
	return []byte{}
}

// dataCountSection is the section of what dataCount read. A number that is wrong stays wrong.
func (m *module) dataCountSection() []byte { return appendU32(nil, m.dataCounted+m.moreData()) }

// data copies the data segments. Those that are placed in memory at instantiation are split into pieces, because
// each is copied as a whole. In a memory of another module one could see how far that came when one does not fit. For code
// a segment that was placed is empty; an empty one behind all others stands for those that were split.
func (m *module) data(r *reader) []byte {
	n := r.count("data segments", m.o.MaxSegments)
	var out []byte
	for i := 0; i < n && r.err == nil; i++ {
		flags := r.u32()
		if flags > 2 {
			r.fail("data segment flags %#x", flags)
		}
		head := appendU32(nil, flags)
		if flags == 2 {
			head = appendU32(head, r.u32())
		}
		var place []byte
		if flags != 1 {
			place = m.constExpr(r, typeI32, nil)
		}
		p := r.bytes(r.u32())
		m.dataSizes = append(m.dataSizes, uint32(len(p)))
		m.newData = append(m.newData, uint32(i)+m.splits)
		at, ok := plainOffset(place)
		if ok && len(p) > pieceSize && !m.importsMemory && uint64(at)+uint64(len(p)) <= 1<<32 {
			m.dataSizes[i], m.newData[i] = 0, wasSplit
			for ; len(p) > pieceSize; p, at = p[pieceSize:], at+pieceSize {
				out = append(out, head...)
				out = append(appendSigned(append(out, opI32Const), int64(int32(at))), opEnd)
				out = append(appendU32(out, pieceSize), p[:pieceSize]...)
				m.splits++
			}
			place = append(appendSigned([]byte{opI32Const}, int64(int32(at))), opEnd)
		}
		out = append(append(out, head...), place...)
		out = append(appendU32(out, uint32(len(p))), p...)
	}
	m.nSegments = uint32(n)
	if m.splits > 0 {
		out = append(out, 1, 0)
	}
	return append(appendU32(nil, m.nSegments+m.moreData()), out...)
}

// wasSplit is in place of the index of a segment that was split.
const wasSplit = ^uint32(0)

// moreData is how many more data segments there are in the output.
func (m *module) moreData() uint32 {
	if m.splits == 0 {
		return 0
	}
	return m.splits + 1
}

// plainOffset is the offset that a constant expression is, if it is no more than a number.
func plainOffset(expr []byte) (uint32, bool) {
	if len(expr) < 3 || expr[0] != opI32Const {
		return 0, false
	}
	r := &reader{b: expr, off: 1}
	v := r.signed(32)
	return uint32(v), r.err == nil && r.off == len(expr)-1 && expr[r.off] == opEnd
}

// dataIndex maps an index of a data segment to the output. An index past the end stays past it.
func (m *module) dataIndex(i uint32) uint32 {
	switch {
	case uint64(i) >= uint64(len(m.newData)):
		return i + min(m.moreData(), ^uint32(0)-i)
	case m.newData[i] == wasSplit:
		return m.nSegments + m.splits
	}
	return m.newData[i]
}
