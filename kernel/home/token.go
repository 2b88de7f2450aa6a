package home

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// Token is the secret by which a client proves that it may talk to the daemon: 32 random bytes, new at each start.
// It prints as SessionToken([REDACTED]).
type Token struct{ raw [32]byte }

// NewToken makes a token from the system's randomness.
func NewToken() Token {
	var t Token
	rand.Read(t.raw[:]) // cannot fail: it ends the process instead
	return t
}

// ParseToken reads 64 hex digits of either case, with white space around them.
func ParseToken(s string) (Token, error) {
	s = strings.TrimSpace(s)
	if len(s) != 64 {
		return Token{}, fmt.Errorf("session token hex must be 64 chars, got %d", len(s))
	}
	var t Token
	if _, err := hex.Decode(t.raw[:], []byte(s)); err != nil {
		var bad hex.InvalidByteError
		if errors.As(err, &bad) {
			return Token{}, fmt.Errorf("invalid hex digit: 0x%02x in session token", byte(bad))
		}
		return Token{}, fmt.Errorf("session token: %w", err)
	}
	return t, nil
}

// Hex is the text form, 64 lower-case digits.
func (t Token) Hex() string { return hex.EncodeToString(t.raw[:]) }

// Equal compares in constant time.
func (t Token) Equal(o Token) bool { return subtle.ConstantTimeCompare(t.raw[:], o.raw[:]) == 1 }

// String keeps the token out of logs.
func (t Token) String() string { return "SessionToken([REDACTED])" }

// GoString does the same for %#v.
func (t Token) GoString() string { return t.String() }

// WriteToken stores the token in path, 0600, atomically.
func WriteToken(path string, t Token) error {
	if err := WriteFileAtomic(path, []byte(t.Hex()), 0o600); err != nil {
		return fmt.Errorf("write the session token: %w", err)
	}
	return nil
}

// ReadToken reads what WriteToken wrote. It wraps fs.ErrNotExist when there is none, that is, when no daemon runs, and
// refuses a file that others could read or that another user owns.
func ReadToken(path string) (Token, error) {
	f, err := os.Open(path)
	if err != nil {
		return Token{}, fmt.Errorf("read the session token: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Token{}, fmt.Errorf("read the session token: %w", err)
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 {
		return Token{}, &Error{Path: path, Problem: fmt.Sprintf("the session token is open to other users (%v)", info.Mode()),
			Fix: "restart the daemon with `astrid stop` and `astrid start`", Err: fs.ErrPermission}
	}
	if err := checkOwner(path, "session token", info); err != nil {
		return Token{}, err
	}
	buf := make([]byte, 256) // more than a token with any white space that makes sense
	n, err := f.Read(buf)
	if err != nil && n > 0 {
		return Token{}, fmt.Errorf("read the session token: %w", err)
	}
	t, err := ParseToken(string(buf[:n]))
	if err != nil {
		return Token{}, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}
