package meter

import (
	"bytes"
	"context"
	"testing"
)

// TestLongData: a long data segment is copied in pieces, and nothing is different for that: not what lies in memory, where
// segments overlap, not what index code gives another segment, not which modules cannot be instantiated.
func TestLongData(t *testing.T) {
	const pages, long = 64, 3<<20 + 5
	data := make([]byte, long)
	for i := range data {
		data[i] = byte(i*7 + i>>13)
	}
	exportOf := func(name string, kind byte, index int) []byte { return b(appendName(nil, name), kind, u(index)) }
	three := []byte{i32, i32, i32}
	args := b(0x20, 0, 0x20, 1, 0x20, 2)
	at := func(n int) []byte { return b(opI32Const, s(n), opEnd) }
	module := func(pages, count int, first []byte) []byte {
		return wasm{start: -1,
			raw: map[byte][]byte{
				secExport: b(5, exportOf("long", 0, 0), exportOf("init", 0, 1), exportOf("drop", 0, 2), exportOf("last", 0, 3), exportOf("memory", 2, 0)),
				secMemory: oneMemory(pages), secDataCount: u(count),
				secData: b(4, first, 0, at(2<<20), u(3), "abc", 1, u(4), "defg", 2, 0, at(100), u(2), "hi"),
			},
			funcs: []fn{
				{params: three, code: b(args, 0xfc, 0x08, u(0), 0)},
				{params: three, code: b(args, 0xfc, 0x08, u(2), 0)},
				{code: b(0xfc, 0x09, u(2))},
				{params: three, code: b(args, 0xfc, 0x08, u(3), 0)},
			}}.bytes()
	}
	bin := module(pages, 4, b(0, at(77), u(long), data))
	split := rewrite(t, bin)
	if n := bytes.Count(split, data[1<<20:2<<20]); n != 1 {
		t.Fatalf("the segment is there %d times", n)
	}
	if bytes.Contains(split, data) {
		t.Error("the segment is in one piece")
	}
	plain := instantiate(t, newRuntime(t, compiler, nil), bin)
	metered := instantiate(t, newRuntime(t, compiler, func(context.Context) {}), split)
	for _, c := range []struct {
		name string
		args []uint64
	}{
		{"", nil}, {"init", []uint64{9, 1, 3}}, {"last", []uint64{0, 0, 1}}, {"drop", nil}, {"init", []uint64{9, 1, 3}}, {"long", []uint64{0, 0, 0}},
	} {
		if c.name != "" {
			_, want := plain.ExportedFunction(c.name).Call(context.Background(), c.args...)
			_, got := metered.ExportedFunction(c.name).Call(context.Background(), c.args...)
			if firstLine(want) != firstLine(got) {
				t.Errorf("%s%v: %q, in one piece %q", c.name, c.args, firstLine(got), firstLine(want))
			}
		}
		want, _ := plain.Memory().Read(0, pages<<16)
		got, _ := metered.Memory().Read(0, pages<<16)
		if !bytes.Equal(want, got) {
			t.Fatalf("%s: memories differ", c.name)
		}
	}
	// As the standard has it, a segment that was placed has no bytes left, which wazero does not heed.
	for _, args := range [][]uint64{{0, 0, 1}, {0, 0, 2 << 20}, {0, 1, 0}} {
		if _, err := metered.ExportedFunction("long").Call(context.Background(), args...); err == nil {
			t.Errorf("memory.init%v of a segment that was placed", args)
		}
	}
	for name, bin := range map[string][]byte{
		"past the memory":    module(40, 4, b(0, at(77), u(long), data)),
		"past all addresses": module(pages, 4, b(0, at(-1<<20), u(long), data)),
		"wrong count":        module(pages, 3, b(0, at(77), u(long), data)),
	} {
		for way, bin := range map[string][]byte{"in one piece": bin, "split": rewrite(t, bin)} {
			if _, err := newRuntime(t, compiler, func(context.Context) {}).Instantiate(context.Background(), bin); err == nil {
				t.Errorf("%s, %s: it runs", name, way)
			}
		}
	}
}
