package capsule

import (
	"encoding/hex"
	"fmt"
	"path/filepath"

	"github.com/zeebo/blake3"

	"github.com/unicity-astrid/astrid-go/capsule/stricttoml"
)

// ManifestName is the file that makes a directory a capsule.
const ManifestName = "Capsule.toml"

// MaxManifestSize bounds a Capsule.toml in bytes.
const MaxManifestSize = 1 << 20

// Manifest is a validated Capsule.toml. It does not change after loading.
type Manifest struct {
	Path string // file it was read from, as given
	Dir  string // directory of Path
	Hash string // BLAKE3-256 of the file as lowercase hex

	Package      Package
	Components   []Component
	Imports      []Import // by namespace, then interface
	Exports      []Export // by namespace, then interface
	Capabilities Capabilities
	Env          map[string]EnvField
	ContextFiles []ContextFile
	Commands     []Command
	MCPServers   []MCPServer
	Skills       []Skill
	Uplinks      []Uplink
	Interceptors []Interceptor // in file order
	Topics       []TopicDecl
	Warnings     []string // accepted but without effect, for the user to see

	doc *stricttoml.Document
}

// Package is the [package] table. Only Name, Version and AstridVersion decide anything.
type Package struct {
	Name          string         `toml:"name,required"` // capsule id: see ValidName
	Version       Version        `toml:"version,required"`
	Description   string         `toml:"description"`
	Authors       []string       `toml:"authors"`
	Repository    string         `toml:"repository"`
	Homepage      string         `toml:"homepage"`
	Documentation string         `toml:"documentation"`
	License       string         `toml:"license"`
	LicenseFile   string         `toml:"license-file"`
	Readme        string         `toml:"readme"`
	Keywords      []string       `toml:"keywords"`
	Categories    []string       `toml:"categories"`
	AstridVersion string         `toml:"astrid-version"` // requirement on the runtime; "" means any
	Publish       *bool          `toml:"publish"`
	Include       []string       `toml:"include"` // globs that astrid-build packs besides what the manifest names
	Exclude       []string       `toml:"exclude"` // globs that astrid-build leaves out
	Metadata      map[string]any `toml:"metadata"`
}

// Component is one [[component]]: a WebAssembly module. Only the first one runs.
type Component struct {
	ID   string
	File string // slash-separated, relative to Dir, inside it
	Hash string // BLAKE3 of the file as lowercase hex, or "" when the author gave none; checked at install
	Type string // "executable" or ""

	// Instances is how many instances may run at once (1 to MaxInstances).
	Instances int
	// OrderBy names a payload field. Messages with the same value keep their order while others run in
	// parallel. "" keeps all messages in order when there is one instance, and none when there are more.
	OrderBy string
}

// MaxInstances is the upper bound of [[component]] instances.
const MaxInstances = 64

// LoadManifest reads and validates the Capsule.toml at path. Errors of content are a stricttoml.ErrorList.
func LoadManifest(path string) (*Manifest, error) {
	data, err := readBounded(path, MaxManifestSize)
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	return ParseManifest(path, data)
}

// ParseManifest validates data as the Capsule.toml at path; the file itself is not touched.
func ParseManifest(path string, data []byte) (*Manifest, error) {
	if len(data) > MaxManifestSize {
		return nil, stricttoml.ErrorList{{File: path, Msg: fmt.Sprintf("larger than %d bytes", MaxManifestSize)}}
	}
	doc, err := stricttoml.Parse(path, data)
	if err != nil {
		return nil, err
	}
	var file manifestFile
	if err := doc.Decode(&file, stricttoml.Options{Retired: retiredKeys}); err != nil {
		return nil, err
	}
	m := file.manifest()
	m.Path, m.Dir, m.Hash, m.doc = path, filepath.Dir(path), Hash(data), doc
	c := &checker{m: m, file: &file, doc: doc}
	if err := c.check(); err != nil {
		return nil, err
	}
	return m, nil
}

// Hash is the BLAKE3-256 of data as 64 lowercase hex digits: the form used in every record and file name.
func Hash(data []byte) string {
	sum := blake3.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Main returns the component that runs, or nil when the capsule has none.
func (m *Manifest) Main() *Component {
	if len(m.Components) == 0 {
		return nil
	}
	return &m.Components[0]
}

// ID is the capsule id, package.name.
func (m *Manifest) ID() string { return m.Package.Name }

// IsUplink reports whether the capsule serves a frontend: such capsules load first and may run without end.
func (m *Manifest) IsUplink() bool { return m.Capabilities.Uplink }

// Source returns "file:line" of a key, for example "capabilities.net" or "interceptor[1].event". A key that
// is not in the file gives the nearest table around it, or the file alone.
func (m *Manifest) Source(key string) string {
	if m.doc != nil {
		if line := m.doc.Line(key); line > 0 {
			return fmt.Sprintf("%s:%d", m.Path, line)
		}
	}
	return m.Path
}
