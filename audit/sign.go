package audit

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"fmt"

	"github.com/zeebo/blake3"
)

// Signer signs with the runtime key. It must be safe for concurrent use.
type Signer interface {
	Public() ed25519.PublicKey
	Sign(message []byte) ([]byte, error)
}

// Hash is a BLAKE3-256 digest; its text form is 64 lower-case hex digits.
type Hash [32]byte

// Key is an ed25519 public key; its text form is padded standard base64.
type Key [ed25519.PublicKeySize]byte

// Sig is an ed25519 signature; its text form is padded standard base64.
type Sig [ed25519.SignatureSize]byte

func (h Hash) String() string { return hex.EncodeToString(h[:]) }
func (k Key) String() string  { return base64.StdEncoding.EncodeToString(k[:]) }

// ID returns the first eight bytes of the key as 16 hex digits, for people.
func (k Key) ID() string { return hex.EncodeToString(k[:8]) }

// MarshalText implements encoding.TextMarshaler.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// MarshalText implements encoding.TextMarshaler.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// The runtime key signs more than audit entries. A message starts with the name of what
// it is, so that a signature of one kind can never be passed off as another.
const (
	entryDomain = "astrid audit entry 2\x00"
	headDomain  = "astrid audit head 2\x00"
)

// sigLen is the length of `,"sig":"…"}`, the fixed end of each line.
const sigLen = len(`,"sig":"`) + 88 + len(`"}`)

// appendSig closes a line: body is everything before the signature.
func appendSig(body []byte, sig []byte) []byte {
	body = append(body, `,"sig":"`...)
	body = base64.StdEncoding.AppendEncode(body, sig)
	return append(body, `"}`...)
}

// splitSig separates the signed bytes of a line from its signature.
func splitSig(line []byte) (body []byte, sig Sig, err error) {
	n := len(line) - sigLen
	if n < 0 || string(line[n:n+8]) != `,"sig":"` || string(line[len(line)-2:]) != `"}` {
		return nil, sig, fmt.Errorf("%w: no signature at its end", ErrFormat)
	}
	if err := decode64(sig[:], line[n+8:len(line)-2]); err != nil {
		return nil, sig, err
	}
	return line[:n], sig, nil
}

// decode64 fills dst from canonical padded base64.
func decode64(dst, src []byte) error {
	// The decoder may write up to 3*(len/4) bytes, more than dst holds when src is padded.
	var buf [96]byte
	if len(src) != base64.StdEncoding.EncodedLen(len(dst)) {
		return fmt.Errorf("%w: base64 of %d characters", ErrFormat, len(src))
	}
	n, err := base64.StdEncoding.Strict().Decode(buf[:], src)
	if err != nil || n != len(dst) {
		return fmt.Errorf("%w: bad base64", ErrFormat)
	}
	copy(dst, buf[:n])
	return nil
}

// hashBody is the link to an entry: the digest of its signed bytes.
func hashBody(body []byte) Hash { return blake3.Sum256(body) }

// verifySig reports whether sig is the key's signature of body in the domain.
func verifySig(domain string, key Key, body []byte, sig Sig) bool {
	msg := make([]byte, 0, len(domain)+len(body))
	msg = append(append(msg, domain...), body...)
	return ed25519.Verify(key[:], msg, sig[:])
}

// signerKey reads the public key of a signer.
func signerKey(s Signer) (Key, error) {
	var k Key
	p := s.Public()
	if len(p) != len(k) {
		return k, fmt.Errorf("audit: signer has a public key of %d bytes, want %d", len(p), len(k))
	}
	copy(k[:], p)
	return k, nil
}
