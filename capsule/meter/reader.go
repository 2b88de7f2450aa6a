package meter

import (
	"fmt"
	"unicode/utf8"
)

// reader decodes a byte slice. The first failure sticks: later reads return
// zeros, so that callers test err once per element instead of once per byte.
type reader struct {
	b    []byte
	off  int
	base int // offset of b[0] in the module, for messages
	err  error
}

func (r *reader) fail(format string, args ...any) {
	r.failAs(ErrMalformed, format, args...)
}

func (r *reader) failAs(kind error, format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s (offset %#x)", kind, fmt.Sprintf(format, args...), r.base+r.off)
	}
}

func (r *reader) more() bool { return r.err == nil && r.off < len(r.b) }

func (r *reader) byte() byte {
	if r.err != nil {
		return 0
	}
	if r.off >= len(r.b) {
		r.fail("unexpected end")
		return 0
	}
	c := r.b[r.off]
	r.off++
	return c
}

// bytes returns the next n bytes without copying them.
func (r *reader) bytes(n uint32) []byte {
	if r.err != nil {
		return nil
	}
	if uint64(n) > uint64(len(r.b)-r.off) {
		r.fail("%d bytes announced, %d left", n, len(r.b)-r.off)
		return nil
	}
	p := r.b[r.off : r.off+int(n)]
	r.off += int(n)
	return p
}

// sub returns a reader of the next n bytes and skips them.
func (r *reader) sub(n uint32) *reader {
	base := r.base + r.off
	return &reader{b: r.bytes(n), base: base, err: r.err}
}

// u32 reads an unsigned LEB128 of at most five bytes and 32 bits. Forms longer
// than needed are valid WebAssembly as long as they keep to that.
func (r *reader) u32() uint32 {
	if r.off < len(r.b) && r.b[r.off] < 0x80 && r.err == nil {
		r.off++
		return uint32(r.b[r.off-1])
	}
	var v uint32
	for shift := 0; shift < 35; shift += 7 {
		c := r.byte()
		if shift == 28 && c > 0x0f {
			break
		}
		v |= uint32(c&0x7f) << shift
		if c < 0x80 {
			return v
		}
	}
	r.fail("integer too long or too large for 32 bits")
	return 0
}

// signed reads a signed LEB128 of the given width (32, 33 or 64 bits).
func (r *reader) signed(bits int) int64 {
	var v int64
	for shift := 0; ; shift += 7 {
		c := r.byte()
		v |= int64(c&0x7f) << shift
		if left := bits - shift; left <= 7 {
			// The last byte: the unused bits must repeat the sign bit.
			ext := int8(c<<1) >> left // c without its continuation bit, sign at the top
			if c >= 0x80 || (ext != 0 && ext != -1) {
				r.fail("integer too long or too large for %d bits", bits)
				return 0
			}
			return v << (64 - bits) >> (64 - bits)
		}
		if c < 0x80 {
			if c&0x40 != 0 {
				v |= -1 << (shift + 7)
			}
			return v
		}
		if r.err != nil {
			return 0
		}
	}
}

// name reads a UTF-8 string.
func (r *reader) name() string {
	p := r.bytes(r.u32())
	if !utf8.Valid(p) {
		r.fail("name is not UTF-8")
	}
	return string(p)
}

// count reads a vector length. Each element takes at least one byte, so a count
// beyond the rest of the input is refused before anybody allocates for it.
func (r *reader) count(what string, limit int) int {
	n := r.u32()
	if r.err != nil {
		return 0
	}
	if uint64(n) > uint64(len(r.b)-r.off) {
		r.fail("%d %s announced, %d bytes left", n, what, len(r.b)-r.off)
		return 0
	}
	if int(n) > limit {
		r.failAs(ErrLimit, "%d %s, at most %d", n, what, limit)
		return 0
	}
	return int(n)
}

// done fails unless all was read.
func (r *reader) done(what string) error {
	if r.err == nil && r.off != len(r.b) {
		r.fail("%d bytes left over in %s", len(r.b)-r.off, what)
	}
	return r.err
}
