package meter

import "fmt"

// encode assembles the rewritten module. Sections the input lacks but metering
// needs are made; custom sections move behind all others.
func (m *module) encode() ([]byte, error) {
	made := []struct {
		id   byte
		make func() []byte
	}{
		{secType, func() []byte { return append([]byte{ownTypes}, ownTypeDecls...) }},
		{secImport, func() []byte { return m.yieldImport([]byte{1}) }},
		{secGlobal, func() []byte { return append([]byte{1}, m.fuelDecl()...) }},
	}
	for _, s := range made {
		if m.out[s.id] == nil {
			m.out[s.id] = s.make()
		}
	}
	code, err := m.rewriteCode()
	if err != nil {
		return nil, err
	}
	m.out[secFunction], m.out[secCode] = m.functionSection(), code
	if m.out[secDataCount] != nil {
		m.out[secDataCount] = m.dataCountSection()
	}

	size := len(magic) + len(m.custom)
	for _, p := range m.out {
		size += len(p)
	}
	if size > m.o.MaxOutput {
		return nil, fmt.Errorf("%w: %d bytes after metering, at most %d", ErrLimit, size, m.o.MaxOutput)
	}
	out := make([]byte, 0, size+128)
	out = append(out, magic...)
	for _, id := range secOrder {
		if p := m.out[id]; p != nil {
			out = appendSection(out, id, p)
		}
	}
	out = append(out, m.custom...)
	return appendCustom(out, SectionName, []byte(Version)), nil
}
