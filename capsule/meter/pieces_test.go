package meter

import (
	"bytes"
	"context"
	"math/rand/v2"
	"testing"

	"github.com/tetratelabs/wazero/api"
)

// TestPieces: bulk operations that are done in pieces do what they do as a whole, and trap before they
// write or not at all.
func TestPieces(t *testing.T) {
	const pages, mem, seg = 80, 80 << 16, 3 << 20
	data := make([]byte, seg)
	for i := range data {
		data[i] = byte(i * 7)
	}
	exportOf := func(name string, kind byte, index int) []byte { return b(appendName(nil, name), kind, u(index)) }
	three := []byte{i32, i32, i32}
	args := b(0x20, 0, 0x20, 1, 0x20, 2)
	bin := wasm{start: -1,
		raw: map[byte][]byte{
			secExport: b(6, exportOf("fill", 0, 0), exportOf("copy", 0, 1), exportOf("init", 0, 2), exportOf("small", 0, 3), exportOf("drop", 0, 4), exportOf("memory", 2, 0)),
			secMemory: oneMemory(pages), secDataCount: u(2),
			secData: b(2, 1, u(seg), data, 1, u(3), "abc"),
		},
		funcs: []fn{
			{params: three, code: b(args, 0xfc, 0x0b, 0)},
			{params: three, code: b(args, 0xfc, 0x0a, 0, 0)},
			{params: three, code: b(args, 0xfc, 0x08, u(0), 0)},
			{params: three, code: b(args, 0xfc, 0x08, u(1), 0)},
			{code: b(0xfc, 0x09, u(0))},
		}}.bytes()
	yields := 0
	plain := instantiate(t, newRuntime(t, compiler, nil), bin)
	metered := instantiate(t, newRuntime(t, compiler, func(context.Context) { yields++ }), rewrite(t, bin))
	both := func(name string, args ...uint64) {
		t.Helper()
		var got [2]string
		for i, mod := range []api.Module{plain, metered} {
			_, err := mod.ExportedFunction(name).Call(context.Background(), args...)
			got[i] = firstLine(err)
		}
		if got[0] != got[1] {
			t.Errorf("%s%v: %q, as a whole %q", name, args, got[1], got[0])
		}
		a, _ := plain.Memory().Read(0, mem)
		m, _ := metered.Memory().Read(0, mem)
		if !bytes.Equal(a, m) {
			t.Fatalf("%s%v: memories differ", name, args)
		}
	}
	both("init", 5, 9, seg-9)
	rnd := rand.New(rand.NewPCG(1, 2))
	edge := func(n uint64) uint64 { // near the pieces' ends
		return max(rnd.Uint64N(n>>20+1)<<20+rnd.Uint64N(5), 2) - 2
	}
	for range 60 {
		d, s, n := edge(mem), edge(mem), edge(mem)
		both("copy", d, s, n)
		both("fill", d, rnd.Uint64N(256), edge(mem))
		both("init", d, edge(seg), edge(seg))
		both("small", d, rnd.Uint64N(3), rnd.Uint64N(4))
	}
	for _, a := range [][3]uint64{{0, 0, mem}, {0, 1, mem}, {1, 0, mem}, {1, 0, mem - 1}, {0, 1, mem - 1}, {mem, 0, 0}, {mem + 1, 0, 0}, {0, 0, 1<<32 - 1}, {1<<32 - 1, 1<<32 - 1, 1<<32 - 1}, {1 << 31, 0, 1 << 31}, {1<<32 - 2<<20, 0, 3 << 20}, {0, 1<<32 - 2<<20, 3 << 20}} {
		for _, name := range []string{"copy", "fill", "init"} {
			both(name, a[0], a[1], a[2])
		}
	}
	both("drop")
	both("init", 0, 0, 2<<20)
	both("init", 0, 0, 1)
	both("init", 0, 0, 0)
	if yields == 0 {
		t.Error("it never yielded")
	}
	before := yields
	call(t, metered, "fill", 0, 1, mem)
	if n := yields - before; n < mem/(2*pieceSize)-1 {
		t.Errorf("a fill of %d bytes yielded %d times", mem, n)
	}
}
