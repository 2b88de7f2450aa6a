package capability

import (
	"encoding/binary"
	"fmt"
	"time"
)

// payloadVersion is the first byte of what is signed. Version 1 had no principal and no capsule.
const payloadVersion = 2

// Payload returns the signed bytes; the package comment has their layout.
func (t *Token) Payload() []byte {
	b := make([]byte, 0, 224+len(t.Resource))
	b = append(b, payloadVersion)
	b = appendLP(b, t.ID[:])
	b = appendLP(b, []byte(t.Resource))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(t.Permissions)))
	for _, p := range t.Permissions {
		b = appendLP(b, []byte(p))
	}
	b = binary.LittleEndian.AppendUint64(b, uint64(t.IssuedAt.Unix()))
	if t.ExpiresAt.IsZero() {
		b = append(b, 0)
	} else {
		b = append(b, 1)
		b = binary.LittleEndian.AppendUint64(b, uint64(t.ExpiresAt.Unix()))
	}
	b = appendLP(b, []byte(t.Scope))
	b = append(b, t.Issuer[:]...)
	b = append(b, t.UserID[:]...)
	b = appendLP(b, t.AuditID[:])
	b = appendBool(b, t.SingleUse)
	b = appendLP(b, []byte(t.Principal))
	return appendLP(b, []byte(t.Capsule))
}

func appendLP(b, v []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(v)))
	return append(b, v...)
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// DecodePayload reads signed bytes back into a token without signature. Whatever decodes,
// encodes to the same bytes.
func DecodePayload(b []byte) (Token, error) {
	p := payloadReader{b: b}
	var t Token
	if v := p.byte(); v != payloadVersion && p.err == nil {
		return t, fmt.Errorf("%w: payload version %d, want %d", ErrToken, v, payloadVersion)
	}
	p.fixed(t.ID[:], true)
	t.Resource = string(p.lp(MaxPattern))
	n := p.u32()
	if n > maxPermissions {
		return t, fmt.Errorf("%w: %d permissions, want 1 to %d", ErrToken, n, maxPermissions)
	}
	for range n {
		t.Permissions = append(t.Permissions, Permission(p.lp(16)))
	}
	t.IssuedAt = p.time()
	if p.bool() {
		t.ExpiresAt = p.time()
	}
	t.Scope = Scope(p.lp(16))
	p.fixed(t.Issuer[:], false)
	p.fixed(t.UserID[:], false)
	p.fixed(t.AuditID[:], true)
	t.SingleUse = p.bool()
	t.Principal = string(p.lp(64))
	t.Capsule = string(p.lp(maxCapsule))
	if p.err == nil && len(p.b) > 0 {
		p.err = fmt.Errorf("%w: %d bytes after the payload", ErrToken, len(p.b))
	}
	if p.err != nil {
		return Token{}, p.err
	}
	if err := t.check(); err != nil {
		return Token{}, err
	}
	return t, nil
}

// payloadReader consumes a payload. After the first error it returns zeros.
type payloadReader struct {
	b   []byte
	err error
}

func (p *payloadReader) take(n uint32) []byte {
	if p.err == nil && uint64(n) > uint64(len(p.b)) {
		p.err = fmt.Errorf("%w: payload ends early", ErrToken)
	}
	if p.err != nil {
		return nil
	}
	v := p.b[:n]
	p.b = p.b[n:]
	return v
}

func (p *payloadReader) byte() byte {
	if v := p.take(1); v != nil {
		return v[0]
	}
	return 0
}

func (p *payloadReader) bool() bool {
	v := p.byte()
	if v > 1 && p.err == nil {
		p.err = fmt.Errorf("%w: flag %d", ErrToken, v)
	}
	return v == 1
}

func (p *payloadReader) u32() uint32 {
	if v := p.take(4); v != nil {
		return binary.LittleEndian.Uint32(v)
	}
	return 0
}

func (p *payloadReader) lp(limit uint32) []byte {
	n := p.u32()
	if n > limit && p.err == nil {
		p.err = fmt.Errorf("%w: field of %d bytes, limit %d", ErrToken, n, limit)
	}
	return p.take(n)
}

// fixed fills dst, after its length if prefixed.
func (p *payloadReader) fixed(dst []byte, prefixed bool) {
	if prefixed {
		if n := p.u32(); p.err == nil && n != uint32(len(dst)) {
			p.err = fmt.Errorf("%w: field of %d bytes, want %d", ErrToken, n, len(dst))
		}
	}
	copy(dst, p.take(uint32(len(dst))))
}

// maxUnix is the last second of the year 9999, the last JSON can write.
const maxUnix = 253402300799

func (p *payloadReader) time() time.Time {
	v := p.take(8)
	if v == nil {
		return time.Time{}
	}
	s := int64(binary.LittleEndian.Uint64(v))
	if s <= 0 || s > maxUnix {
		p.err = fmt.Errorf("%w: time %d", ErrToken, s)
		return time.Time{}
	}
	return time.Unix(s, 0).UTC()
}
