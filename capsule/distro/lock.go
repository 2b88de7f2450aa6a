package distro

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/capsule/store"
	"github.com/unicity-astrid/astrid-go/capsule/stricttoml"
)

// LockName is the file name of a lock below <principal home>/.config.
const LockName = "distro.lock"

// hashPrefix names the algorithm of a lock hash.
const hashPrefix = "blake3:"

// Lock is what a distro installed.
type Lock struct {
	SchemaVersion int64       `toml:"schema-version,required"`
	Distro        LockInfo    `toml:"distro,required"`
	Capsules      []LockEntry `toml:"capsule"`
}

// LockInfo says which distro, and when.
type LockInfo struct {
	ID         string `toml:"id,required"`
	Version    string `toml:"version,required"`
	ResolvedAt string `toml:"resolved-at,required"` // RFC 3339, UTC
}

// LockEntry is one installed capsule.
type LockEntry struct {
	Name    string `toml:"name,required"`
	Version string `toml:"version,required"`
	Source  string `toml:"source,required"`
	Hash    string `toml:"hash,required"` // "blake3:<hex>" of the binary; "" for a capsule without one
}

// WasmHash is the hash without its algorithm; "" when there is none.
func (e LockEntry) WasmHash() string { return strings.TrimPrefix(e.Hash, hashPrefix) }

// ParseLock reads and validates a lock.
func ParseLock(path string, data []byte) (*Lock, error) {
	if len(data) > MaxSize {
		return nil, stricttoml.ErrorList{{File: path, Msg: fmt.Sprintf("larger than %d bytes", MaxSize)}}
	}
	doc, err := stricttoml.Parse(path, data)
	if err != nil {
		return nil, err
	}
	var l Lock
	if err := doc.Decode(&l, stricttoml.Options{}); err != nil {
		return nil, err
	}
	var errs stricttoml.ErrorList
	if l.SchemaVersion != SchemaVersion {
		errs = append(errs, doc.Errorf("schema-version", "version %d is not supported", l.SchemaVersion))
	}
	if _, err := time.Parse(time.RFC3339Nano, l.Distro.ResolvedAt); err != nil {
		errs = append(errs, doc.Errorf("distro.resolved-at", "want an RFC 3339 time"))
	}
	seen := map[string]bool{}
	for i, e := range l.Capsules {
		key := stricttoml.Elem("capsule", i)
		if err := capsule.ValidName(e.Name); err != nil {
			errs = append(errs, doc.Errorf(key+".name", "%v", err))
		}
		if seen[e.Name] {
			errs = append(errs, doc.Errorf(key+".name", "capsule %q is listed twice", e.Name))
		}
		seen[e.Name] = true
		if e.Hash != "" && (!strings.HasPrefix(e.Hash, hashPrefix) || !capsule.ValidHash(e.WasmHash())) {
			errs = append(errs, doc.Errorf(key+".hash", "want %q and 64 hex digits", hashPrefix))
		}
	}
	return &l, errs.Err()
}

// LoadLock reads a lock file. The error wraps fs.ErrNotExist when nothing was installed yet.
func LoadLock(path string) (*Lock, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return ParseLock(path, data)
}

// Encode returns the file's text. Equal locks give equal bytes.
func (l *Lock) Encode() ([]byte, error) {
	var b bytes.Buffer
	enc := toml.NewEncoder(&b)
	enc.Indent = ""
	if err := enc.Encode(l); err != nil {
		return nil, fmt.Errorf("encode lock: %w", err)
	}
	return b.Bytes(), nil
}

// Save writes the lock (0600) as a whole or not at all.
func (l *Lock) Save(path string) error {
	data, err := l.Encode()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return capsule.WriteFileAtomic(path, data, 0o600)
}

// Fresh reports whether the lock is of exactly this distro and version. No lock (nil) is not.
func (l *Lock) Fresh(m *Manifest) bool {
	return l != nil && l.Distro.ID == m.Info.ID && l.Distro.Version == m.Info.Version.String()
}

// Find returns the entry of a capsule. No lock (nil) has none.
func (l *Lock) Find(name string) (LockEntry, bool) {
	if l != nil {
		for _, e := range l.Capsules {
			if e.Name == name {
				return e, true
			}
		}
	}
	return LockEntry{}, false
}

// Refresh returns a lock of the same distro that describes everything installed now, by name. It is for the
// time after single capsules were updated. A capsule without a readable record is an error.
func (l *Lock) Refresh(all []store.Installed, now time.Time) (*Lock, error) {
	out := &Lock{SchemaVersion: SchemaVersion, Distro: l.Distro}
	out.Distro.ResolvedAt = formatTime(now)
	for _, i := range all {
		if i.Err != nil {
			return nil, fmt.Errorf("capsule %s: %w", i.Name, i.Err)
		}
		out.Capsules = append(out.Capsules, lockEntry(i, i.Meta.Source))
	}
	sort.SliceStable(out.Capsules, func(i, j int) bool { return out.Capsules[i].Name < out.Capsules[j].Name })
	return out, nil
}

func lockEntry(i store.Installed, source string) LockEntry {
	e := LockEntry{Name: i.Name, Version: i.Meta.Version, Source: source}
	if i.Meta.WasmHash != "" {
		e.Hash = hashPrefix + i.Meta.WasmHash
	}
	return e
}

// formatTime writes a UTC time with the numeric offset that earlier versions wrote.
func formatTime(t time.Time) string {
	return t.UTC().Format("2006-01-02T15:04:05.999999999-07:00")
}
