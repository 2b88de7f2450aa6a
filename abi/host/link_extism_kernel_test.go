package host

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/unicity-astrid/astrid-go/abi/host/hosttest"
)

// TestExtismKernelAgrees makes the same random calls to the original of extism:host/env, which is a wasm module,
// and to ours. Offsets differ; what a guest can do with them must not.
func TestExtismKernelAgrees(t *testing.T) {
	bin, err := os.ReadFile(filepath.Join(hosttest.ExtismSDK(t), "extism-runtime.wasm"))
	must(t, err)
	r := newRig(t, rigOptions{})
	ctx := context.Background()
	original, err := r.rt.InstantiateWithConfig(ctx, bin, wazero.NewModuleConfig().WithName(""))
	must(t, err)
	for seed := range uint64(10) {
		g := r.extismGuest(newCapsule(everythingGrants()))
		_, err = original.ExportedFunction("reset").Call(ctx)
		must(t, err)
		k := &kernels{t: t, sides: [2]func(string, ...uint64) uint64{
			func(name string, w ...uint64) uint64 { return callModule(t, original, name, w...) },
			func(name string, w ...uint64) uint64 { return g.must(name, w...) },
		}}
		rnd := rand.New(rand.NewPCG(seed, 1))
		for range 300 {
			k.step(rnd)
		}
		// What the host reads in the end.
		for _, name := range []string{"output_length", "input_length"} {
			k.same(name)
		}
		var out [2][]byte
		for i, call := range k.sides {
			at := call("output_offset")
			for n := range call("output_length") {
				out[i] = append(out[i], byte(call("load_u8", at+n)))
			}
		}
		if !bytes.Equal(out[0], out[1]) {
			t.Errorf("seed %d: output %q, the original's is %q", seed, out[1], out[0])
		}
	}
}

func callModule(t *testing.T, m api.Module, name string, w ...uint64) uint64 {
	t.Helper()
	out, err := m.ExportedFunction(name).Call(context.Background(), w...)
	must(t, err)
	if len(out) == 0 {
		return 0
	}
	return out[0]
}

// kernels are the original and ours, with the blocks that both have made.
type kernels struct {
	t      *testing.T
	sides  [2]func(name string, w ...uint64) uint64
	blocks []twin
}

// twin is one block: its offset on each side, and what it was made with.
type twin struct {
	off  [2]uint64
	n    uint64
	live bool
}

// same calls both sides with words that are the same, and compares.
func (k *kernels) same(name string, w ...uint64) {
	k.t.Helper()
	if a, b := k.sides[0](name, w...), k.sides[1](name, w...); a != b {
		k.t.Errorf("%s%v: %d, the original gives %d", name, w, b, a)
	}
}

// at calls both sides with an offset into a block, and compares.
func (k *kernels) at(b *twin, rel uint64, name string, w ...uint64) {
	k.t.Helper()
	var got [2]uint64
	for i, call := range k.sides {
		got[i] = call(name, append([]uint64{b.off[i] + rel}, w...)...)
	}
	if got[0] != got[1] {
		k.t.Errorf("%s(block of %d + %d, %v): %d, the original gives %d", name, b.n, rel, w, got[1], got[0])
	}
}

func (k *kernels) step(rnd *rand.Rand) {
	if len(k.blocks) == 0 || rnd.IntN(6) == 0 {
		b := twin{n: rnd.Uint64N(40), live: true}
		for i, call := range k.sides {
			b.off[i] = call("alloc", b.n)
		}
		if (b.off[0] == 0) != (b.off[1] == 0) {
			k.t.Errorf("alloc(%d) = %d, %d", b.n, b.off[0], b.off[1])
		}
		if b.n == 0 {
			return
		}
		// The original does not clear what it uses again.
		for j := range b.n {
			k.at(&b, j, "store_u8", 0)
		}
		k.blocks = append(k.blocks, b)
		return
	}
	b := &k.blocks[rnd.IntN(len(k.blocks))]
	if !b.live { // whatever it was used for since, it is not ours
		return
	}
	rel := rnd.Uint64N(b.n)
	switch rnd.IntN(12) {
	case 0:
		k.at(b, 0, "free")
		b.live = false
		return
	case 1:
		k.at(b, 0, "length")
		if rel > 0 {
			k.at(b, rel, "length")
		}
	case 2, 3:
		k.at(b, rel, "store_u8", rnd.Uint64N(1<<32))
	case 4, 5:
		if rel+8 <= b.n {
			k.at(b, rel, "store_u64", rnd.Uint64())
		}
	case 6:
		k.at(b, rel, "load_u8")
	case 7:
		if rel+8 <= b.n {
			k.at(b, rel, "load_u64")
		}
	case 8:
		k.at(b, rel, "output_set", b.n-rel)
	case 9:
		k.at(b, 0, "input_set", b.n)
	case 10:
		k.same("input_length")
		k.same("input_load_u8", rnd.Uint64N(50))
		k.same("input_load_u64", rnd.Uint64N(50))
	case 11:
		// Of offsets that are no handles only these are the same: elsewhere the original shows its own
		// bookkeeping, and its sums wrap.
		for _, off := range []uint64{0, 1, 40, 1 << 40} {
			k.same("length", off)
		}
		k.same("load_u64", 1<<40)
		k.same("load_u8", 1<<40)
	}
}

// FuzzExtismMemory: whatever a guest does, what it stored in a live block is there, a freed one has no length, and
// the account of its bytes is right.
func FuzzExtismMemory(f *testing.F) {
	f.Add([]byte{0, 9, 1, 3, 2, 0, 3, 1, 4, 0, 5, 2, 0, 200, 6, 0, 7, 1})
	f.Fuzz(func(t *testing.T, ops []byte) {
		if len(ops) > 1000 {
			return
		}
		var m extismMemory
		const limit = 1 << 16
		model := map[uint64][]byte{}
		var order []uint64
		for len(ops) >= 2 {
			op, arg := ops[0], uint64(ops[1])
			ops = ops[2:]
			pick := uint64(1) << 40
			if len(order) > 0 {
				pick = order[arg%uint64(len(order))]
			}
			switch op % 9 {
			case 0:
				if n := arg * arg; n > 0 && m.fits(n, limit) {
					off := m.alloc(n)
					if _, ok := model[off]; ok || off < extismFirst {
						t.Fatalf("offset %d", off)
					}
					model[off], order = make([]byte, n), append(order, off)
				}
			case 1:
				m.free(pick)
				delete(model, pick)
			case 2:
				if b := model[pick]; b != nil {
					at := arg % uint64(len(b))
					m.storeByte(pick+at, byte(arg))
					b[at] = byte(arg)
				}
			case 3:
				m.storeWord(pick+arg*arg*arg, arg<<56|arg) // anywhere
				for off, b := range model {
					for i := range uint64(8) {
						if at := pick + arg*arg*arg + i - off; at < uint64(len(b)) && m.find(pick+arg*arg*arg) == m.find(off) {
							b[at] = byte((arg<<56 | arg) >> (8 * i))
						}
					}
				}
			case 4:
				m.setOutput(pick+arg%7, arg)
				if out := m.out(); len(out) > limit {
					t.Fatal(len(out))
				}
			case 5:
				m.setInput(pick, arg)
				m.inputByte(arg)
				m.inputWord(^uint64(0) - arg)
			case 6:
				if n := arg; m.fits(n, limit) {
					if off := m.put(bytes.Repeat([]byte{byte(arg)}, int(n))); off != 0 {
						m.made(off)
						model[off], order = bytes.Repeat([]byte{byte(arg)}, int(n)), append(order, off)
					}
					for off := range model {
						if m.length(off) == 0 { // the oldest of what the host made
							delete(model, off)
						}
					}
				}
			case 7:
				if arg == 0 {
					m.reset()
					clear(model)
					order = nil
				}
			case 8:
				m.setVar(string(ops[:min(len(ops), 2)]), make([]byte, arg))
			}
		}
		used := uint64(0)
		for off, want := range model {
			used += blockCost(uint64(len(want)))
			if got, ok := m.bytes(off); !ok || !bytes.Equal(got, want) {
				t.Fatalf("block %d: %v %q, want %q", off, ok, got, want)
			}
		}
		if m.kept != 0 {
			used += blockCost(uint64(len(m.find(m.kept).data)))
		}
		if m.used != used || m.used > limit {
			t.Fatalf("%d bytes are accounted, %d are used", m.used, used)
		}
		for _, off := range order {
			if _, ok := model[off]; !ok && m.length(off) != 0 {
				t.Fatalf("freed block %d has a length", off)
			}
		}
	})
}
