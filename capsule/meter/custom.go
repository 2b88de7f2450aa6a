package meter

import "strings"

// customSection copies one custom section, or drops it when it speaks of code
// offsets or indices that rewriting moves.
func (m *module) customSection(r *reader) {
	name := r.name()
	if r.err != nil {
		return
	}
	switch {
	case name == SectionName:
		r.failAs(ErrReserved, "custom section %s: the module is metered already", name)
	case name == "name":
		if p := m.names(r); r.err == nil {
			m.custom = appendCustom(m.custom, name, p)
		}
	case stale(name):
	default:
		m.custom = appendCustom(m.custom, name, r.b[r.off:])
	}
}

// stale reports whether a custom section would be wrong after rewriting: DWARF
// and source maps hold code offsets, linking data and code metadata both.
func stale(name string) bool {
	switch name {
	case "linking", "sourceMappingURL", "external_debug_info", "build_id":
		return true
	}
	for _, p := range []string{".debug_", "reloc.", "metadata.code."} {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

// Subsections of the name section that mention functions.
const (
	subFuncs  = 1
	subLocals = 2
	subLabels = 3
)

// names copies the name section with function indices moved, since traps print
// function names. Label names are dropped.
func (m *module) names(r *reader) []byte {
	var out []byte
	for r.more() {
		id := r.byte()
		s := r.sub(r.u32())
		if s.err != nil {
			r.err = s.err
			return nil
		}
		p := s.b
		switch id {
		case subFuncs:
			p = m.nameMap(s, func(out []byte) []byte { return appendName(out, s.name()) })
		case subLocals:
			p = m.nameMap(s, func(out []byte) []byte { return localNames(s, out) })
		case subLabels:
			continue
		}
		if s.err != nil {
			r.err = s.err
			return nil
		}
		out = appendSection(out, id, p)
	}
	return out
}

// nameMap copies a map from function index to whatever each copies.
func (m *module) nameMap(s *reader, each func([]byte) []byte) []byte {
	n := s.count("names", len(s.b))
	out := appendU32(nil, uint32(n))
	for i := 0; i < n && s.err == nil; i++ {
		out = each(m.funcIndex(s, out))
	}
	s.done("name subsection")
	return out
}

func localNames(s *reader, out []byte) []byte {
	n := s.count("names", len(s.b))
	out = appendU32(out, uint32(n))
	for i := 0; i < n && s.err == nil; i++ {
		out = appendU32(out, s.u32())
		out = appendName(out, s.name())
	}
	return out
}
