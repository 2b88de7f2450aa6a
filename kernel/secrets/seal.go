package secrets

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"strings"
)

// header begins each file; it names the format.
const header = "astrid secret 1\n"

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// context is what is authenticated beside the value. None of its parts can contain NUL.
func context(principal, capsule, name string) []byte {
	return []byte(header + strings.Join([]string{principal, capsule, name}, "\x00"))
}

func seal(aead cipher.AEAD, principal, capsule, name, value string) []byte {
	return aead.Seal([]byte(header), nil, []byte(value), context(principal, capsule, name))
}

func unseal(aead cipher.AEAD, principal, capsule, name string, raw []byte) (string, error) {
	body, ok := bytes.CutPrefix(raw, []byte(header))
	if !ok || len(body) < aead.Overhead() {
		return "", ErrBroken
	}
	value, err := aead.Open(nil, nil, body, context(principal, capsule, name))
	if err != nil || checkValue(string(value)) != nil {
		return "", ErrBroken
	}
	return string(value), nil
}
