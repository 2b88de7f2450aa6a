package capsule

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
)

// Secrets keeps values that must not lie in a file in the clear; kernel/secrets satisfies it. A secret that is not
// there is an fs.ErrNotExist.
type Secrets interface {
	Get(principal, capsule, name string) (string, error)
	Set(principal, capsule, name, value string) error
	Delete(principal, capsule, name string) error
}

// Settings is where the answers to the [env] questions of a principal's capsules are kept: those of type "secret" in
// Secrets, all others in the env file. There is no other way to either.
type Settings struct {
	Principal string
	Home      string // the principal's home directory
	Secrets   Secrets
}

// errNoSecrets is met by programs that have no business with secrets.
var errNoSecrets = errors.New("there is no store of secrets")

// Load returns what was set for a capsule. A secret that is still in the env file, where earlier versions kept it, or
// because the variable was no secret in another version of the capsule, is moved over first.
func (s Settings) Load(m *Manifest) (map[string]string, error) {
	if err := s.moveOver(m); err != nil {
		return nil, err
	}
	return s.Look(m)
}

// moveOver takes secrets out of the env file.
func (s Settings) moveOver(m *Manifest) error {
	path := EnvPath(s.Home, m.ID())
	values, err := LoadEnv(path)
	if err != nil {
		return err
	}
	moved := false
	for _, key := range m.SecretKeys() {
		if text, there := values[key]; there {
			if text != "" {
				if err := s.set(m, key, text); err != nil {
					return err
				}
			}
			delete(values, key)
			moved = true
		}
	}
	if !moved {
		return nil
	}
	return SaveEnv(path, values)
}

// Look is Load that changes nothing on disk.
func (s Settings) Look(m *Manifest) (map[string]string, error) {
	values, err := LoadEnv(EnvPath(s.Home, m.ID()))
	if err != nil {
		return nil, err
	}
	for _, key := range m.SecretKeys() {
		if values[key] != "" {
			continue
		}
		text, err := s.get(m, key)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("capsule %s: env %s: %w", m.ID(), key, err)
		}
		values[key] = text
	}
	return values, nil
}

// Save makes values what is set for a capsule. What is not among them, or empty, is not set any more.
func (s Settings) Save(m *Manifest, values map[string]string) error {
	open := maps.Clone(values)
	for _, key := range m.SecretKeys() {
		delete(open, key)
		var err error
		if text := values[key]; text != "" {
			err = s.set(m, key, text)
		} else if s.Secrets != nil {
			if err = s.Secrets.Delete(s.Principal, m.ID(), key); errors.Is(err, fs.ErrNotExist) {
				err = nil
			}
		}
		if err != nil {
			return fmt.Errorf("capsule %s: env %s: %w", m.ID(), key, err)
		}
	}
	path := EnvPath(s.Home, m.ID())
	if _, err := os.Lstat(path); len(open) == 0 && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return SaveEnv(path, open)
}

// Keep remembers what is set and returns what puts it back.
func (s Settings) Keep(m *Manifest) (restore func() error, err error) {
	before, err := s.Load(m)
	if err != nil {
		return nil, err
	}
	_, err = os.Lstat(EnvPath(s.Home, m.ID()))
	none := errors.Is(err, fs.ErrNotExist)
	return func() error {
		err := s.Save(m, before)
		if none {
			if rerr := os.Remove(EnvPath(s.Home, m.ID())); !errors.Is(rerr, fs.ErrNotExist) {
				err = errors.Join(err, rerr)
			}
		}
		return err
	}, nil
}

func (s Settings) get(m *Manifest, key string) (string, error) {
	if s.Secrets == nil {
		return "", fs.ErrNotExist
	}
	return s.Secrets.Get(s.Principal, m.ID(), key)
}

func (s Settings) set(m *Manifest, key, value string) error {
	if s.Secrets == nil {
		return fmt.Errorf("capsule %s: env %s: %w", m.ID(), key, errNoSecrets)
	}
	return s.Secrets.Set(s.Principal, m.ID(), key, value)
}

// SecretKeys lists the [env] variables of type "secret", sorted.
func (m *Manifest) SecretKeys() []string {
	var out []string
	for _, key := range sortedKeys(m.Env) {
		if m.Env[key].Kind() == EnvSecret {
			out = append(out, key)
		}
	}
	return out
}
