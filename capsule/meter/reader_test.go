package meter

import (
	"errors"
	"math"
	"testing"
)

func TestUnsigned(t *testing.T) {
	for _, c := range []struct {
		in   []byte
		want uint32
		n    int // bytes read, 0: refused
	}{
		{b(0), 0, 1},
		{b(0x7f), 127, 1},
		{b(0x80, 1), 128, 2},
		{b(0x80, 0), 0, 2}, // longer than needed, as linkers write it
		{b(0x81, 0x80, 0x80, 0x80, 0), 1, 5},
		{b(0xff, 0xff, 0xff, 0xff, 0x0f), math.MaxUint32, 5},
		{b(0xff, 0xff, 0xff, 0xff, 0x1f), 0, 0},
		{b(0x80, 0x80, 0x80, 0x80, 0x80, 0), 0, 0},
		{b(0x80), 0, 0},
		{nil, 0, 0},
	} {
		r := &reader{b: c.in}
		got := r.u32()
		if c.n == 0 {
			if !errors.Is(r.err, ErrMalformed) {
				t.Errorf("%x: %d, %v", c.in, got, r.err)
			}
		} else if r.err != nil || got != c.want || r.off != c.n {
			t.Errorf("%x: %d after %d bytes, %v", c.in, got, r.off, r.err)
		}
	}
}

func TestSigned(t *testing.T) {
	for _, c := range []struct {
		bits int
		in   []byte
		want int64
		n    int
	}{
		{32, b(0x7f), -1, 1},
		{32, b(0x40), -64, 1},
		{32, b(0xff, 0), 127, 2},
		{32, b(0xff, 0x7f), -1, 2},
		{32, b(0x80, 0x80, 0x80, 0x80, 0x78), math.MinInt32, 5},
		{32, b(0xff, 0xff, 0xff, 0xff, 0x07), math.MaxInt32, 5},
		{32, b(0xff, 0xff, 0xff, 0xff, 0x0f), 0, 0}, // sign bit, but not extended
		{32, b(0x80, 0x80, 0x80, 0x80, 0x38), 0, 0},
		{33, b(0xff, 0xff, 0xff, 0xff, 0x0f), math.MaxUint32, 5},
		{33, b(0x80, 0x80, 0x80, 0x80, 0x70), -1 << 32, 5},
		{64, b(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f), math.MinInt64, 10},
		{64, b(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0), math.MaxInt64, 10},
		{64, b(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1), 0, 0},
		{64, b(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0), 0, 0},
		{32, b(0x80), 0, 0},
	} {
		r := &reader{b: c.in}
		got := r.signed(c.bits)
		if c.n == 0 {
			if !errors.Is(r.err, ErrMalformed) {
				t.Errorf("%d bits %x: %d, %v", c.bits, c.in, got, r.err)
			}
		} else if r.err != nil || got != c.want || r.off != c.n {
			t.Errorf("%d bits %x: %d after %d bytes, %v", c.bits, c.in, got, r.off, r.err)
		}
	}
}

// TestWritten: what the writer makes, the reader reads, in its shortest form.
func TestWritten(t *testing.T) {
	for _, v := range []int64{0, 1, 63, 64, 127, 128, 8191, 8192, 1 << 20, math.MaxInt32, math.MaxUint32, math.MaxInt64} {
		for _, v := range []int64{v, -v, -v - 1} {
			p := appendSigned(nil, v)
			if r := (&reader{b: p}); r.signed(64) != v || r.done("") != nil {
				t.Errorf("%d: %x", v, p)
			}
		}
		if v <= math.MaxUint32 {
			p := appendU32(nil, uint32(v))
			if r := (&reader{b: p}); int64(r.u32()) != v || r.done("") != nil {
				t.Errorf("%d: %x", v, p)
			}
		}
	}
	// Charges have a fixed width, so that they can be set late.
	for _, c := range []int{0, 1, 63, 64, 127, 128, checkAt, 8191} {
		var e emitter
		e.setCharge(e.constant(0), c)
		if r := (&reader{b: e.out[1:]}); r.signed(32) != int64(c) || r.done("") != nil {
			t.Errorf("charge %d: %x", c, e.out)
		}
	}
}
