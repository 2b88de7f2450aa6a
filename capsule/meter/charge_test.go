package meter

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

// fuelUsed runs a module with a quantum of q and returns how many times it
// yielded times q.
func fuelUsed(t *testing.T, bin []byte, q int, args ...uint64) int {
	t.Helper()
	out, err := Rewrite(bin, Options{quantum: q})
	if err != nil {
		t.Fatal(err)
	}
	yields := 0
	m := instantiate(t, newRuntime(t, compiler, func(context.Context) { yields++ }), out)
	call(t, m, "run", args...)
	return yields * q
}

// countdown is a loop of n rounds around body, with one i32 local to use.
func countdown(body ...any) []byte {
	return wasm{start: -1, raw: map[byte][]byte{secMemory: oneMemory(2)}, funcs: []fn{{
		params: []byte{i32}, locals: b(1, 1, i32), export: "run",
		code: b(0x03, 0x40, b(body...), 0x20, 0, 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, 0x0b),
	}, {params: []byte{i32}, code: b(0x20, 0, 0x1a)}, // a leaf
		{params: []byte{i32}, code: b(0x20, 0, 0x10, 2)}, // not a leaf
	}}.bytes()
}

// TestCharges compares the fuel that loops use with what their instructions
// cost. A round of the bare loop costs 5: get, const, sub, tee, br_if.
func TestCharges(t *testing.T) {
	const rounds = 100_000
	for _, c := range []struct {
		name     string
		body     []byte
		low, top int // units in each round
	}{
		{"bare", nil, 5, 5},
		{"adds", repeat(10, 0x20, 1, 0x41, 1, 0x6a, 0x21, 1), 45, 45},
		{"loads", repeat(3, 0x41, 0, 0x28, 2, 0, 0x1a), 5 + 3*(1+costMem), 5 + 3*(1+costMem)},
		{"long straight code", repeat(1000, 0x20, 1, 0x1a), 1005, 1005},
		// The path not taken must not be charged for, however long it is.
		{"rare path", b(0x20, 1, 0x04, 0x40, repeat(1000, 0x20, 1, 0x1a), 0x0b), 6, 6},
		{"either path", b(0x20, 0, 0x04, 0x40, repeat(50, 0x20, 1, 0x1a), 0x05, 0x20, 1, 0x1a, 0x0b), 57, 57},
		{"leaf", b(0x20, 0, 0x10, 1), 5 + 1 + costCall + 2, entryMin}, // shared with the entry,
		{"fill 64 KiB", b(0x41, 0, 0x41, 0, 0x41, s(1<<16), 0xfc, 0x0b, 0), 2048, 2048 + 100},
		{"copy 64 KiB", b(0x41, 0, 0x41, s(1<<16), 0x41, s(1<<16), 0xfc, 0x0a, 0, 0), 2048, 2048 + 100},
		{"grow by nothing", b(0x41, 0, 0x40, 0, 0x1a), costHost, costHost + 20},
		{"grow by too much", b(0x41, s(1024), 0x40, 0, 0x1a), 1024 << pageShift, 1024<<pageShift + 100},
	} {
		n := rounds
		q := 20 * c.low // the fuel below zero when a yield comes is lost, so not less
		if c.low > 100 {
			n = 5_000
		}
		used := fuelUsed(t, countdown(c.body), q, uint64(n)) / n
		if used < c.low*9/10 || used > c.top*11/10 {
			t.Errorf("%s: %d units a round, want %d to %d", c.name, used, c.low, c.top)
		}
	}
}

// TestRecursionIsCharged: an entry pays for what its frame still owes.
func TestRecursionIsCharged(t *testing.T) {
	// f(n): 10 units, then f(n-1) if n; depth 10,000.
	bin := wasm{start: -1, funcs: []fn{{params: []byte{i32}, export: "run",
		code: b(repeat(10, 0x20, 0, 0x1a), 0x20, 0, 0x04, 0x40, 0x20, 0, 0x41, 1, 0x6b, 0x10, 0, 0x0b)}}}.bytes()
	if used := fuelUsed(t, bin, 100, 10_000) / 10_000; used < 15 || used > 40 {
		t.Errorf("%d units a call", used)
	}
}

// TestShape pins the sequences that the cost of metering depends on.
func TestShape(t *testing.T) {
	fuel, refill := byte(0), byte(2)
	check := func(c int) []byte {
		return b(0x23, fuel, 0x41, c|0x80, 0, 0x6b, 0x24, fuel,
			0x23, fuel, 0x41, 0, 0x48, 0x04, 0x40, 0x10, refill, 0x0b)
	}
	pay := func(c int) []byte { return b(0x23, fuel, 0x41, c|0x80, 0, 0x6b, 0x24, fuel) }
	for _, c := range []struct {
		name       string
		code, want []byte
	}{
		{"leaf", b(0x41, 7, 0x1a), b(0x41, 7, 0x1a)},
		{"entry and tight loop", b(0x03, 0x40, 0x41, 0, 0x0d, 0, 0x0b),
			b(pay(entryMin), 0x03, 0x40, check(2), 0x41, 0, 0x0d, 0, 0x0b)},
		{"entry and loop share", b(0x03, 0x40, repeat(12, 0x41, 0, 0x1a), 0x10, 1, 0x41, 0, 0x0d, 0, 0x0b),
			b(0x03, 0x40, check(12+costCall+2), repeat(12, 0x41, 0, 0x1a), 0x10, 3, 0x41, 0, 0x0d, 0, 0x0b)},
		{"dead loop", b(0x00, 0x03, 0x40, 0x0c, 0, 0x0b), b(0x00, 0x03, 0x40, 0x0c, 0, 0x0b)},
	} {
		w := wasm{start: -1, funcs: []fn{{export: "run", code: c.code}, {code: b(0x10, 1)}}}
		out := rewrite(t, w.bytes())
		// refill's index is 3: yield, two functions, refill
		want := bytes.ReplaceAll(b(0, c.want, opEnd), b(0x10, refill, 0x0b), b(0x10, 3, 0x0b))
		want = bytes.ReplaceAll(want, b(0x10, 3, 0x41), b(0x10, 2, 0x41))
		if !bytes.Contains(out, want) {
			t.Errorf("%s:\n%x\nhas no\n%x", c.name, out, want)
		}
	}
}

func TestCustomSections(t *testing.T) {
	w := mod(0x00)
	w.custom = [][2]string{
		{"producers", "p"}, {".debug_line", "d"}, {"reloc.CODE", "r"}, {"linking", "l"},
		{"name", string(b(0, 2, 1, "m", 1, 7, 1, 0, 4, "main", 2, 6, 1, 0, 1, 0, 1, "x", 3, 1, 0))},
	}
	out := rewrite(t, w.bytes())
	for _, want := range []string{"producers", "\x00\x02\x01m", "\x01\x07\x01\x01\x04main",
		"\x02\x06\x01\x01\x01\x00\x01x", SectionName + Version} {
		if !bytes.Contains(out, []byte(want)) {
			t.Errorf("no %q in the output", want)
		}
	}
	for _, gone := range []string{".debug_line", "reloc.", "linking", "\x03\x01\x00"} {
		if bytes.Contains(out, []byte(gone)) {
			t.Errorf("%q in the output", gone)
		}
	}
	m := instantiate(t, newRuntime(t, compiler, func(context.Context) {}), out)
	_, err := m.ExportedFunction("run").Call(context.Background())
	if err == nil || !strings.Contains(err.Error(), "m.main") {
		t.Errorf("trap does not name m.main: %v", err)
	}
}
