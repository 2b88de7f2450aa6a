package capsule

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// MaxEnvSize bounds an env file in bytes.
const MaxEnvSize = 1 << 20

// EnvPath is the file with the user's answers for a capsule, below a principal's home.
func EnvPath(principalHome, capsule string) string {
	return filepath.Join(principalHome, ".config", "env", capsule+".env.json")
}

// LoadEnv reads an env file: one JSON object of strings. A file that does not exist is an empty answer; one
// that cannot be read or holds anything else is an error that names the key and never a value.
func LoadEnv(path string) (map[string]string, error) {
	data, err := readBounded(path, MaxEnvSize)
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]string{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("env file: %w", err)
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil || raw == nil {
		return nil, fmt.Errorf("env file %s: want one JSON object of strings; correct or delete it", path)
	}
	values := make(map[string]string, len(raw))
	for _, key := range sortedKeys(raw) {
		var text *string
		if err := json.Unmarshal(raw[key], &text); err != nil || text == nil {
			return nil, fmt.Errorf("env file %s: the value of %q is not a string", path, key)
		}
		values[key] = *text
	}
	return values, nil
}

// SaveEnv writes an env file (0600, its directory 0700) as a whole or not at all.
func SaveEnv(path string, values map[string]string) error {
	if values == nil {
		values = map[string]string{}
	}
	data, err := json.MarshalIndent(values, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("env file: %w", err)
	}
	return WriteFileAtomic(path, append(data, '\n'), 0o600)
}
