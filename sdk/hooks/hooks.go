// Package hooks asks other capsules.
package hooks

import (
	"encoding/json"
	"fmt"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/rawjson"
	"github.com/unicity-astrid/astrid-go/sdk/internal/wire"
)

// Trigger calls the interceptors of all other capsules that listen to hook and returns
// what they answered, each a JSON value, in no certain order. Capsules that said nothing,
// denied or failed are left out. payload is encoded like the payload of a message.
//
// A capsule may ask what its ipc_publish covers, hooks whose name is one word, and x.request.describe: others act for it
// with rights of their own.
func Trigger(hook string, payload any) ([]json.RawMessage, error) {
	b, err := wire.Payload(payload)
	if err != nil {
		return nil, fmt.Errorf("payload of hook %s: %w", hook, err)
	}
	var all json.RawMessage
	if err := wire.Ask(abi.TriggerHook, abi.HookRequest{Hook: hook, Payload: b}, &all); err != nil {
		return nil, err
	}
	var answers []json.RawMessage
	err = rawjson.Array(all, func(answer json.RawMessage) error {
		answers = append(answers, answer)
		return nil
	})
	return answers, err
}

// Collect is [Trigger] with the answers decoded. Answers that are not a T are left out:
// one capsule's mistake must not hide what the others said.
func Collect[T any](hook string, payload any) ([]T, error) {
	answers, err := Trigger(hook, payload)
	if err != nil {
		return nil, err
	}
	out := make([]T, 0, len(answers))
	for _, a := range answers {
		var v T
		if wire.Unmarshal(a, &v) == nil {
			out = append(out, v)
		}
	}
	return out, nil
}
