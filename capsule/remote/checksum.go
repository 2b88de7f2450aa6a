package remote

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strings"

	"github.com/zeebo/blake3"
)

// ErrChecksum says that bytes are not those that were announced.
var ErrChecksum = errors.New("wrong checksum")

// Checksum is a hash that a file must have.
type Checksum struct {
	Algorithm string // "blake3" or "sha256"
	Hex       string // lowercase
}

func (c Checksum) String() string { return c.Algorithm + "=" + c.Hex }

// algorithms in the order in which they are looked for.
var algorithms = []struct {
	name string
	new  func() hash.Hash
}{
	{"blake3", func() hash.Hash { return blake3.New() }},
	{"sha256", sha256.New},
}

func (c Checksum) hasher() hash.Hash {
	for _, a := range algorithms {
		if a.name == c.Algorithm {
			return a.new()
		}
	}
	return nil
}

// parseChecksum reads "blake3=HEX" or "sha256=HEX".
func parseChecksum(text string) (Checksum, error) {
	name, digest, _ := strings.Cut(text, "=")
	c := Checksum{name, strings.ToLower(digest)}
	if c.hasher() == nil || !isDigest(c.Hex) {
		return Checksum{}, fmt.Errorf("%q is no checksum: write blake3= or sha256= and 64 hex digits", text)
	}
	return c, nil
}

// parseSum reads a checksum file: 64 hex digits, and perhaps a file name.
func parseSum(algorithm string, data []byte) (Checksum, error) {
	words := strings.Fields(string(data))
	if len(words) == 0 || len(words) > 2 || !isDigest(strings.ToLower(words[0])) {
		return Checksum{}, fmt.Errorf("it does not hold 64 hex digits of %s", algorithm)
	}
	return Checksum{algorithm, strings.ToLower(words[0])}, nil
}

func isDigest(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == 32
}
