package audit

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Anchor keeps the head of each chain outside the log, so that a log whose tail was cut
// is seen to be shorter than it was. The log saves a head after its entries are durable
// and before it answers for them.
//
// What Save stores must survive the death of the process at once. Surviving a power
// failure may take longer: a head that is older than the log is caught up when the chain
// is opened, a head that is newer means a broken chain. A reader in another process must
// never see half a head.
type Anchor interface {
	// Load returns what Save stored last, or ErrNoAnchor.
	Load(ctx context.Context, principal string) ([]byte, error)
	Save(ctx context.Context, principal string, head []byte) error
}

// AnchorLister is an [Anchor] that knows for whom it holds heads. [Verify] asks it, so that
// a chain that was deleted whole is missed.
type AnchorLister interface {
	Principals(ctx context.Context) ([]string, error)
}

// Head is the end of a chain: how many entries it has and the hash of the last.
type Head struct {
	Principal string
	Seq       uint64 // 0: the chain exists and is empty
	Hash      Hash   // of the last entry, zero for an empty chain
	Time      time.Time
	Key       Key
	Sig       Sig
}

// appendHeadBody appends the signed bytes of h.
func appendHeadBody(dst []byte, h *Head) []byte {
	dst = append(dst, `{"v":2,"head":`...)
	dst = appendString(dst, h.Principal)
	dst = append(dst, `,"seq":`...)
	dst = strconv.AppendUint(dst, h.Seq, 10)
	dst = append(dst, `,"hash":"`...)
	dst = hex.AppendEncode(dst, h.Hash[:])
	dst = append(dst, `","time":"`...)
	dst = appendTime(dst, h.Time)
	dst = append(dst, `","key":"`...)
	dst = base64.StdEncoding.AppendEncode(dst, h.Key[:])
	return append(dst, '"')
}

// signHead returns the line of h, signed by s.
func signHead(s Signer, h *Head) ([]byte, error) {
	msg := appendHeadBody([]byte(headDomain), h)
	sig, err := s.Sign(msg)
	if err != nil || len(sig) != len(h.Sig) {
		return nil, fmt.Errorf("sign head: %w", orBadSig(err))
	}
	copy(h.Sig[:], sig)
	return appendSig(msg[len(headDomain):], sig), nil
}

// DecodeHead reads the line of a head, with or without the newline. It checks the form only.
func DecodeHead(line []byte) (Head, error) {
	var h Head
	line = bytes.TrimSuffix(line, []byte("\n"))
	body, sig, err := splitSig(line)
	if err != nil {
		return h, err
	}
	p := parser{b: body}
	p.lit(`{"v":2,"head":`)
	h.Principal = p.str()
	p.lit(`,"seq":`)
	h.Seq, _ = strconv.ParseUint(p.num(), 10, 64)
	p.lit(`,"hash":`)
	h.Hash = p.hash()
	p.lit(`,"time":`)
	h.Time = p.time()
	p.lit(`,"key":`)
	if err := decode64(h.Key[:], []byte(p.str())); err != nil && p.err == nil {
		p.err = err
	}
	if p.err != nil {
		return h, p.err
	}
	h.Sig = sig
	if !ValidPrincipal(h.Principal) || !bytes.Equal(appendHeadBody(nil, &h), body) {
		return h, fmt.Errorf("%w: head not in canonical form", ErrFormat)
	}
	return h, nil
}

// isHead reports whether a line of an exported file is a head.
func isHead(line []byte) bool {
	return strings.HasPrefix(string(line[:min(len(line), 14)]), `{"v":2,"head":`)
}

// checkHead says what is wrong with a decoded head, if anything.
func checkHead(h *Head, principal string, trusted map[Key]bool) error {
	switch {
	case h.Principal != principal:
		return fmt.Errorf("%w: head belongs to %q", ErrBroken, h.Principal)
	case !trusted[h.Key]:
		return fmt.Errorf("%w: head signed by foreign key %s", ErrBroken, h.Key.ID())
	case !verifySig(headDomain, h.Key, appendHeadBody(nil, h), h.Sig):
		return fmt.Errorf("%w: bad signature on head", ErrBroken)
	}
	return nil
}
