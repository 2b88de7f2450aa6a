// Package env reads the capsule's settings: the [env] fields of its manifest with the
// values the person gave, and what the kernel adds.
package env

import (
	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/internal/link"
)

// Get returns the setting named key, or "" when there is none.
func Get(key string) string {
	v, _ := Lookup(key)
	return v
}

// Lookup returns the setting named key and whether it has a value. An empty value
// counts as none.
func Lookup(key string) (string, bool) {
	b, err := link.Call(abi.GetConfig, key)
	if err != nil { // a secret whose store is locked, say: the log tells why the setting seems to be missing
		_, _ = link.Call(abi.Log, "error", "setting "+key+" cannot be read: "+err.Error())
		return "", false
	}
	return string(b), len(b) > 0
}

// Or returns the setting named key, or fallback when there is none.
func Or(key, fallback string) string {
	if v, ok := Lookup(key); ok {
		return v
	}
	return fallback
}
