package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/unicity-astrid/astrid-go/capsule"
)

// Limits of one package. Bytes are counted as unpacked, whatever a header claims.
const (
	MaxArchiveSize = 256 << 20 // a .capsule file as it lies on disk
	MaxTotalSize   = 512 << 20 // all files together
	MaxFileSize    = 128 << 20 // one file, the WebAssembly binary included
	MaxEntries     = 50_000    // files and directories
	MaxPathLength  = 1024      // bytes of one relative path
	MaxDepth       = 32        // directories within directories
	MaxSchemaSize  = 1 << 20   // one topic schema or WIT file
)

// Errors that callers tell apart.
var (
	ErrMalicious    = errors.New("malicious package")        // it tries to reach outside itself, or to deceive
	ErrTooLarge     = errors.New("package is too large")     // one of the limits
	ErrBadPackage   = errors.New("not a valid capsule")      // no manifest, missing files, damaged archive
	ErrNotInstalled = errors.New("capsule is not installed") // no such directory in the store
	ErrIntegrity    = errors.New("integrity check failed")   // installed bytes differ from what was recorded
)

// Store is one directory of installed capsules and the shared directories beside it. Dir and BinDir are
// required. A Store holds no state of its own; several may work on the same directories.
type Store struct {
	Dir    string   // <principal home>/.local/capsules or <workspace>/.astrid/capsules
	BinDir string   // content-addressed binaries, shared by all stores
	WitDir string   // content-addressed interface files; "" keeps them in the capsule only
	Others []string // further stores whose capsules count as dependents and providers

	// Consent is asked before anything takes effect, with the manifest to be installed and the one that it
	// replaces (nil when new). An error refuses the installation. nil consents.
	Consent func(ctx context.Context, next, previous *capsule.Manifest) error
	// Hook runs the lifecycle export of the staged capsule. An error undoes the installation. nil skips it.
	Hook func(ctx context.Context, h Hook) error
	// Prepare sees the verified binary, for example to compile it ahead. An error undoes the installation.
	Prepare func(ctx context.Context, m *capsule.Manifest, wasm []byte) error
	// Now is the clock for the times in meta.json; nil means time.Now.
	Now func() time.Time
}

// Phase tells a lifecycle hook why it runs.
type Phase string

// The phases, named like the guest exports astrid_install and astrid_upgrade.
const (
	Install Phase = "install"
	Upgrade Phase = "upgrade" // a readable meta.json was there before, even of the same version
)

// Hook is one run of a lifecycle export.
type Hook struct {
	Phase    Phase
	Manifest *capsule.Manifest
	Dir      string // the staged capsule; read only
	Wasm     []byte
	Previous string // the version that was installed; "" for Install
}

// Installed is a capsule in a store. Err says why it cannot be used; Manifest and Meta are nil when they
// could not be read.
type Installed struct {
	Name     string
	Dir      string
	Store    string // the directory that it was found in
	Manifest *capsule.Manifest
	Meta     *capsule.Meta
	Err      error
}

// Version is the installed version, or "unknown".
func (i Installed) Version() string {
	switch {
	case i.Meta != nil:
		return i.Meta.Version
	case i.Manifest != nil:
		return i.Manifest.Package.Version.String()
	default:
		return "unknown"
	}
}

func (s *Store) now() time.Time {
	if s.Now != nil {
		return s.Now().UTC()
	}
	return time.Now().UTC()
}

// path returns the directory of a capsule after checking that the name cannot lead elsewhere.
func (s *Store) path(name string) (string, error) {
	if err := capsule.ValidName(name); err != nil {
		return "", err
	}
	return filepath.Join(s.Dir, name), nil
}

// Get returns one installed capsule; ErrNotInstalled when there is none with this name.
func (s *Store) Get(name string) (Installed, error) {
	dir, err := s.path(name)
	if err != nil {
		return Installed{}, err
	}
	info, err := os.Lstat(dir)
	if errors.Is(err, os.ErrNotExist) || err == nil && !info.IsDir() {
		return Installed{}, fmt.Errorf("%w: %s", ErrNotInstalled, name)
	}
	if err != nil {
		return Installed{}, err
	}
	return load(s.Dir, name), nil
}

// List returns what is installed in this store, by name, the unusable included.
func (s *Store) List() ([]Installed, error) { return List(s.Dir) }

// List returns what is installed in the given stores, store by store, by name in each. A store that does not
// exist is empty.
func List(dirs ...string) ([]Installed, error) {
	var all []Installed
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		for _, e := range entries {
			if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
				all = append(all, load(dir, e.Name()))
			}
		}
	}
	return all, nil
}

func load(store, name string) Installed {
	i := Installed{Name: name, Dir: filepath.Join(store, name), Store: store}
	var errs [2]error
	i.Manifest, errs[0] = capsule.LoadManifest(filepath.Join(i.Dir, capsule.ManifestName))
	i.Meta, errs[1] = capsule.LoadMeta(i.Dir)
	if i.Manifest != nil && i.Manifest.ID() != name {
		errs[0] = fmt.Errorf("the capsule is called %q, so its directory must be too", i.Manifest.ID())
	}
	i.Err = errors.Join(errs[:]...)
	return i
}
