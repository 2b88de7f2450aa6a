package sdk

import (
	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/internal/link"
	"github.com/unicity-astrid/astrid-go/sdk/internal/wire"
	"github.com/unicity-astrid/astrid-go/sdk/log"
)

// StateKey is where [State] keeps its record unless told otherwise.
const StateKey = "__state"

// State is a record of type T kept as JSON in the key-value store, for the principal
// that the call acts for. The zero value uses [StateKey]. A capsule with several
// instances must not use it for counters: the last one to save wins.
type State[T any] struct {
	Key string
}

func (s State[T]) key() string {
	if s.Key == "" {
		return StateKey
	}
	return s.Key
}

// Load returns the record, or the zero T when there is none or when what is stored does
// not fit T any more (which is logged).
func (s State[T]) Load() (T, error) {
	var v T
	b, err := link.Call(abi.KvGet, s.key())
	if err != nil || len(b) == 0 {
		return v, err
	}
	if err := wire.Unmarshal(b, &v); err != nil {
		log.Warn("Stored state does not fit and is dropped", "key", s.key(), "error", err)
		var fresh T
		return fresh, nil
	}
	return v, nil
}

// Save replaces the record.
func (s State[T]) Save(v T) error {
	b, err := wire.Marshal(v)
	if err != nil {
		return err
	}
	_, err = link.Call(abi.KvSet, s.key(), link.Text(b))
	return err
}

// Update loads the record, lets fn change it, and saves it if fn returns nil.
func (s State[T]) Update(fn func(*T) error) error {
	v, err := s.Load()
	if err != nil {
		return err
	}
	if err := fn(&v); err != nil {
		return err
	}
	return s.Save(v)
}
