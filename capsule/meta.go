package capsule

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// MetaName is the record of an installation, next to its Capsule.toml.
const MetaName = "meta.json"

// MaxMetaSize bounds a meta.json in bytes; topic schemas are stored in it.
const MaxMetaSize = 16 << 20

// ErrNotInstalled is wrapped when a directory has a manifest but no meta.json.
var ErrNotInstalled = errors.New("not installed with astrid capsule install")

// Meta is meta.json: what was installed, from where, and the hashes that each load is checked against.
type Meta struct {
	Version     string    `json:"version"`
	InstalledAt time.Time `json:"installed_at"` // first installation; kept by later ones
	UpdatedAt   time.Time `json:"updated_at"`
	Source      string    `json:"source,omitempty"` // as the user typed it

	Imports  map[string]map[string]string `json:"imports,omitempty"`  // namespace → interface → requirement
	Exports  map[string]map[string]string `json:"exports,omitempty"`  // namespace → interface → version
	Optional map[string][]string          `json:"optional,omitempty"` // namespace → interfaces whose import is optional
	Topics   []MetaTopic                  `json:"topics,omitempty"`

	WasmHash string `json:"wasm_hash,omitempty"` // BLAKE3-256 of the first component, lowercase hex
	// ArchiveHash is the BLAKE3-256 of the archive; that of Pack for a directory.
	ArchiveHash string            `json:"archive_hash,omitempty"`
	WitFiles    map[string]string `json:"wit_files,omitempty"` // name of wit/<name> → BLAKE3
	Files       map[string]string `json:"files,omitempty"`     // every other installed file, slash-separated → BLAKE3
}

// MetaTopic is a declared topic with its schema inlined.
type MetaTopic struct {
	Name        string          `json:"name"`
	Direction   string          `json:"direction"`
	Description string          `json:"description,omitempty"`
	Schema      json.RawMessage `json:"schema,omitempty"`
}

// NewMeta fills in what the manifest says; times, hashes, topics and source are the installer's to add.
func NewMeta(m *Manifest) *Meta {
	meta := &Meta{Version: m.Package.Version.String()}
	for _, i := range m.Imports {
		put(&meta.Imports, i.Interface, i.Requirement.String())
		if i.Optional {
			if meta.Optional == nil {
				meta.Optional = map[string][]string{}
			}
			meta.Optional[i.Interface.Namespace] = append(meta.Optional[i.Interface.Namespace], i.Interface.Name)
		}
	}
	for _, e := range m.Exports {
		put(&meta.Exports, e.Interface, e.Version.String())
	}
	return meta
}

func put(m *map[string]map[string]string, i Interface, text string) {
	if *m == nil {
		*m = map[string]map[string]string{}
	}
	if (*m)[i.Namespace] == nil {
		(*m)[i.Namespace] = map[string]string{}
	}
	(*m)[i.Namespace][i.Name] = text
}

// LoadMeta reads dir/meta.json. A missing file wraps ErrNotInstalled; a damaged one is an error too, because
// it holds the hashes that loading relies on. Fields written by other versions are ignored.
func LoadMeta(dir string) (*Meta, error) {
	path := filepath.Join(dir, MetaName)
	data, err := readBounded(path, MaxMetaSize)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w: install it again", dir, ErrNotInstalled)
	}
	if err != nil {
		return nil, err
	}
	var meta Meta
	if err := json.Unmarshal(data, &meta); err != nil {
		return nil, fmt.Errorf("%s: damaged: %w; install the capsule again", path, err)
	}
	switch {
	case meta.Version == "" || meta.InstalledAt.IsZero() || meta.UpdatedAt.IsZero():
		return nil, fmt.Errorf("%s: damaged: version, installed_at or updated_at is missing; install the capsule again", path)
	case meta.WasmHash != "" && !ValidHash(meta.WasmHash):
		return nil, fmt.Errorf("%s: damaged: wasm_hash is not 64 hex digits; install the capsule again", path)
	}
	return &meta, nil
}

// SaveMeta writes dir/meta.json (0600) as a whole or not at all. Keys are sorted, so equal records give equal
// bytes.
func SaveMeta(dir string, meta *Meta) error {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(meta); err != nil {
		return fmt.Errorf("encode %s: %w", MetaName, err)
	}
	return WriteFileAtomic(filepath.Join(dir, MetaName), bytes.TrimRight(buf.Bytes(), "\n"), 0o600)
}

// readBounded reads a regular file of at most limit bytes.
func readBounded(path string, limit int64) ([]byte, error) {
	// Without O_NONBLOCK a pipe planted under this name would hang the caller.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", path)
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s: larger than %d bytes", path, limit)
	}
	return data, nil
}

// TempPrefix begins the names of files that WriteFileAtomic has not finished; a crash can leave one.
const TempPrefix = ".tmp-"

// WriteFileAtomic replaces path by a file with this content: readers see the old or the new one, also after
// a crash. The mode is set before the content is written.
func WriteFileAtomic(path string, data []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), TempPrefix+"*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	tmp := f.Name()
	defer os.Remove(tmp) // fails after the rename, as it should
	err = f.Chmod(mode)
	if err == nil {
		_, err = f.Write(data)
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return SyncDir(filepath.Dir(path))
}

// SyncDir makes the entries of a directory durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	return nil
}

// ValidHash reports whether s has the form that Hash returns. It guards every use of a hash in a path.
func ValidHash(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(s) == 64
}
