package distro

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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
	Hash    string `toml:"hash,required"`     // "blake3:<hex>" of the binary; "" for a capsule without one
	Archive string `toml:"archive,omitempty"` // the same of the archive; "" in locks of earlier versions
}

// WasmHash is the hash without its algorithm; "" when there is none.
func (e LockEntry) WasmHash() string { return strings.TrimPrefix(e.Hash, hashPrefix) }

// ArchiveHash is the hash of the archive without its algorithm; "" when there is none.
func (e LockEntry) ArchiveHash() string { return strings.TrimPrefix(e.Archive, hashPrefix) }

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
		if e.Archive != "" && (!strings.HasPrefix(e.Archive, hashPrefix) || !capsule.ValidHash(e.ArchiveHash())) {
			errs = append(errs, doc.Errorf(key+".archive", "want %q and 64 hex digits", hashPrefix))
		}
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

// Follow returns the lock with what is installed now of the capsules that it lists. It is for the time after
// single capsules were installed, updated or removed. What cannot be read keeps its entry.
func (l *Lock) Follow(all []store.Installed) *Lock {
	out := &Lock{SchemaVersion: l.SchemaVersion, Distro: l.Distro}
	for _, e := range l.Capsules {
		n := slices.IndexFunc(all, func(i store.Installed) bool { return i.Name == e.Name })
		if n < 0 {
			continue
		}
		if i := all[n]; i.Err == nil {
			source := i.Meta.Source
			if source == "" {
				source = e.Source
			}
			e = lockEntry(i, source)
		}
		out.Capsules = append(out.Capsules, e)
	}
	return out
}

// Same reports whether two locks list the same, whenever each was made. No lock (nil) is like no other.
func (l *Lock) Same(o *Lock) bool {
	return l != nil && o != nil && l.Distro.ID == o.Distro.ID && l.Distro.Version == o.Distro.Version && slices.Equal(l.Capsules, o.Capsules)
}

func lockEntry(i store.Installed, source string) LockEntry {
	e := LockEntry{Name: i.Name, Version: i.Meta.Version, Source: source}
	if i.Meta.WasmHash != "" {
		e.Hash = hashPrefix + i.Meta.WasmHash
	}
	if i.Meta.ArchiveHash != "" {
		e.Archive = hashPrefix + i.Meta.ArchiveHash
	}
	return e
}

// formatTime writes a UTC time with the numeric offset that earlier versions wrote.
func formatTime(t time.Time) string {
	return t.UTC().Format("2006-01-02T15:04:05.999999999-07:00")
}
