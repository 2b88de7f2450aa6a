package capsule

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// EnvKind is how an [env] value is asked for.
type EnvKind string

// The kinds of [env] values.
const (
	EnvText   EnvKind = "text"
	EnvSecret EnvKind = "secret"
	EnvArray  EnvKind = "array"
	EnvEnum   EnvKind = "enum"
)

// EnvField is one configuration value that the user gives a capsule.
type EnvField struct {
	Type        string   `toml:"type,required"` // "secret", "array", or any other word for plain text
	Request     string   `toml:"request"`       // question to ask
	Description string   `toml:"description"`
	Default     any      `toml:"default"`
	EnumValues  []string `toml:"enum_values"`
	Placeholder string   `toml:"placeholder"`
}

// Kind derives how to ask: a secret stays one whatever else is declared, and a choice needs two values.
func (f EnvField) Kind() EnvKind {
	switch {
	case f.Type == "secret":
		return EnvSecret
	case f.Type == "array":
		return EnvArray
	case len(f.EnumValues) > 1:
		return EnvEnum
	default:
		return EnvText
	}
}

// DefaultText is the default as text: strings as they are, other values as JSON. A single enum value serves
// as the default of a field that has none.
func (f EnvField) DefaultText() (string, bool) {
	switch v := f.Default.(type) {
	case nil:
		if len(f.EnumValues) == 1 {
			return f.EnumValues[0], true
		}
		return "", false
	case string:
		return v, true
	default:
		b, err := json.Marshal(v)
		return string(b), err == nil
	}
}

// Prompt is the question to ask for the value of key.
func (f EnvField) Prompt(key string) string {
	if f.Request != "" {
		return f.Request
	}
	return "Please enter value for " + key
}

// Check reports a value that the field cannot have. It never repeats the value, which may be a secret.
func (f EnvField) Check(value string) error {
	switch f.Kind() {
	case EnvEnum:
		if !contains(f.EnumValues, value) {
			return fmt.Errorf("the value must be one of %s", strings.Join(f.EnumValues, ", "))
		}
	case EnvArray:
		var list []string
		if json.Unmarshal([]byte(value), &list) != nil {
			return errors.New("the value must be a JSON array of strings")
		}
	}
	return nil
}

// ResolveEnv merges what the user gave with the declared defaults. An empty value counts as not given.
// missing lists, in order, the declared keys that have neither; they are in resolved with an empty value.
// Keys that the manifest does not declare are left out. The error names every value that its field cannot
// have.
func (m *Manifest) ResolveEnv(values map[string]string) (resolved map[string]string, missing []string, err error) {
	resolved = make(map[string]string, len(m.Env))
	var bad []error
	for _, key := range sortedKeys(m.Env) {
		field := m.Env[key]
		value := values[key]
		if value == "" {
			text, ok := field.DefaultText()
			if !ok {
				missing = append(missing, key)
			}
			resolved[key] = text
			continue
		}
		if e := field.Check(value); e != nil {
			bad = append(bad, fmt.Errorf("capsule %s: env %s: %w", m.ID(), key, e))
			continue
		}
		resolved[key] = value
	}
	return resolved, missing, errors.Join(bad...)
}
