package wire

import (
	"fmt"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/internal/link"
)

// Ask calls a host function whose one parameter is a JSON record and decodes its answer
// into answer; nil ignores it.
func Ask(fn abi.Function, request, answer any) error {
	b, err := Marshal(request)
	if err != nil {
		return fmt.Errorf("%s: request: %w", fn, err)
	}
	return Get(fn, answer, link.Text(b))
}

// Get calls a host function and decodes its answer into answer; nil ignores it.
func Get(fn abi.Function, answer any, params ...string) error {
	out, err := link.Call(fn, params...)
	if err != nil || answer == nil {
		return err
	}
	if err := Unmarshal(out, answer); err != nil {
		return fmt.Errorf("%s: answer: %w", fn, err)
	}
	return nil
}
