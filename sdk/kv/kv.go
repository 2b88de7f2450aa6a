// Package kv is the capsule's own key-value store, one for each principal.
//
// Keys are UTF-8 without NUL, at most [abi.MaxKey] bytes; values any bytes up to
// [abi.MaxValue]. A key that is missing and one with an empty value are the same thing.
package kv

import (
	"fmt"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/internal/link"
	"github.com/unicity-astrid/astrid-go/sdk/internal/wire"
)

// Get returns the value of key; it is empty when there is none.
func Get(key string) ([]byte, error) { return link.Call(abi.KvGet, key) }

// Set stores value under key.
func Set(key string, value []byte) error {
	_, err := link.Call(abi.KvSet, key, link.Text(value))
	return err
}

// Delete removes key; a missing one is fine.
func Delete(key string) error {
	_, err := link.Call(abi.KvDelete, key)
	return err
}

// List returns the keys that start with prefix in ascending order.
func List(prefix string) ([]string, error) {
	var keys []string
	err := wire.Get(abi.KvListKeys, &keys, prefix)
	return keys, err
}

// Clear deletes the keys that start with prefix (all of them when it is empty) and
// returns how many there were.
func Clear(prefix string) (int, error) {
	var n int
	err := wire.Get(abi.KvClearPrefix, &n, prefix)
	return n, err
}

// GetJSON decodes the value of key. ok is false when there is none.
func GetJSON[T any](key string) (v T, ok bool, err error) {
	b, err := Get(key)
	if err != nil || len(b) == 0 {
		return v, false, err
	}
	if err := wire.Unmarshal(b, &v); err != nil {
		return v, true, fmt.Errorf("value of key %q: %w", key, err)
	}
	return v, true, nil
}

// SetJSON stores v as JSON.
func SetJSON(key string, v any) error {
	b, err := wire.Marshal(v)
	if err != nil {
		return fmt.Errorf("value of key %q: %w", key, err)
	}
	return Set(key, b)
}
