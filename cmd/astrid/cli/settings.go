package cli

import (
	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/kernel/home"
	"github.com/unicity-astrid/astrid-go/kernel/secrets"
)

// secrets opens the store of secrets as the configuration has it.
func (s System) secrets(h home.Home) (*secrets.Store, error) {
	cfg, err := s.config("")
	if err != nil {
		return nil, err
	}
	return secrets.Open(h, secrets.Options{Store: cfg.Secrets.Store}), nil
}

// settings is where the answers of a principal to the questions of capsules are kept.
func (s System) settings(h home.Home, p home.Principal) (capsule.Settings, error) {
	st, err := s.secrets(h)
	return capsule.Settings{Principal: p.Name(), Home: p.Root(), Secrets: st}, err
}
