package runtime

import (
	"fmt"
	"slices"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/internal/wire"
)

// Elicit asks the person for one setting. It works only while the capsule is being
// installed or upgraded, and waits at most [abi.ElicitTimeout].
func Elicit(req abi.ElicitRequest) (abi.ElicitAnswer, error) {
	var a abi.ElicitAnswer
	err := wire.Ask(abi.Elicit, req, &a)
	return a, err
}

// ElicitText asks for a line of text.
func ElicitText(key, description, preset string) (string, error) {
	a, err := Elicit(abi.ElicitRequest{Type: "text", Key: key, Description: description, Default: preset})
	return a.Value, err
}

// ElicitSecret asks for a secret, which the host stores under key. The capsule does not
// see it; [HasSecret] tells whether it is there.
func ElicitSecret(key, description string) error {
	a, err := Elicit(abi.ElicitRequest{Type: "secret", Key: key, Description: description})
	if err == nil && !a.OK {
		return fmt.Errorf("secret %s was not stored", key)
	}
	return err
}

// ElicitSelect asks for one of options.
func ElicitSelect(key, description string, options []string) (string, error) {
	a, err := Elicit(abi.ElicitRequest{Type: "select", Key: key, Description: description, Options: options})
	if err == nil && !slices.Contains(options, a.Value) {
		return "", fmt.Errorf("answer %q for %s is none of the options", a.Value, key)
	}
	return a.Value, err
}

// ElicitArray asks for a list of texts.
func ElicitArray(key, description string) ([]string, error) {
	a, err := Elicit(abi.ElicitRequest{Type: "array", Key: key, Description: description})
	return a.Values, err
}

// HasSecret tells whether a secret is stored under key.
func HasSecret(key string) (bool, error) {
	var a abi.SecretAnswer
	err := wire.Ask(abi.HasSecret, abi.SecretRequest{Key: key}, &a)
	return a.Exists, err
}
