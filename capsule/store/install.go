package store

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/zeebo/blake3"

	"github.com/unicity-astrid/astrid-go/capsule"
)

// ArchiveSuffix is the file name ending of a packed capsule.
const ArchiveSuffix = ".capsule"

// InstallOptions pins what is installed. The zero value installs whatever the package holds.
type InstallOptions struct {
	Source   string // recorded in meta.json; "" keeps what an earlier installation recorded
	Name     string // the package must have this name
	Version  string // and this version
	WasmHash string // and this binary: 64 hex digits
	// ArchiveHash pins the archive: 64 hex digits. A directory counts as what Pack makes of it.
	ArchiveHash string
	// ManifestHash pins the manifest to the one whose capabilities the user has agreed to.
	ManifestHash string
}

// InstallPath installs a prepared capsule directory or a .capsule file.
func (s *Store) InstallPath(ctx context.Context, source string, o InstallOptions) (Installed, error) {
	info, err := os.Stat(source)
	if err != nil {
		return Installed{}, fmt.Errorf("install: %w", err)
	}
	if info.IsDir() {
		return s.install(ctx, o, func(root *os.Root) (string, error) { return fillFromDir(source, root) })
	}
	if !info.Mode().IsRegular() || !strings.HasSuffix(source, ArchiveSuffix) {
		return Installed{}, fmt.Errorf("install %s: %w: want a directory with a %s or a file ending in %s",
			source, ErrBadPackage, capsule.ManifestName, ArchiveSuffix)
	}
	f, err := os.Open(source)
	if err != nil {
		return Installed{}, fmt.Errorf("install: %w", err)
	}
	defer f.Close()
	return s.InstallArchive(ctx, f, o)
}

// InstallArchive installs a packed capsule from a stream.
func (s *Store) InstallArchive(ctx context.Context, r io.Reader, o InstallOptions) (Installed, error) {
	return s.install(ctx, o, func(root *os.Root) (string, error) { return fillFromArchive(r, root) })
}

// fillFromDir copies a prepared directory and returns the hash of the archive that it would make.
func fillFromDir(dir string, root *os.Root) (archiveHash string, err error) {
	if err := copyTree(dir, root); err != nil {
		return "", err
	}
	return treeHash(root)
}

// fillFromArchive unpacks an archive and returns its hash.
func fillFromArchive(r io.Reader, root *os.Root) (archiveHash string, err error) {
	h := blake3.New()
	err = unpack(io.TeeReader(r, h), root) // which reads to the very end, or fails
	return hex.EncodeToString(h.Sum(nil)), err
}

// install stages, checks and swaps in. Until the swap the installed state is untouched, and every error
// leaves it so.
func (s *Store) install(ctx context.Context, o InstallOptions, fill func(*os.Root) (archiveHash string, err error)) (Installed, error) {
	unlock, err := s.lock(ctx)
	if err != nil {
		return Installed{}, fmt.Errorf("install: %w", err)
	}
	defer unlock()
	if _, err := s.recoverLocked(); err != nil {
		return Installed{}, fmt.Errorf("clean up after an interrupted installation: %w", err)
	}
	staged, err := os.MkdirTemp(s.Dir, stagingPrefix)
	if err != nil {
		return Installed{}, fmt.Errorf("install: %w", err)
	}
	defer os.RemoveAll(staged) // after a swap this is the replaced state
	root, err := os.OpenRoot(staged)
	if err != nil {
		return Installed{}, fmt.Errorf("install: %w", err)
	}
	defer root.Close()
	hash, err := fill(root)
	if err != nil {
		return Installed{}, fmt.Errorf("install: %w", err)
	}
	in := &installation{store: s, options: o, dir: staged, root: root, archiveHash: hash}
	if err := in.run(ctx); err != nil {
		return Installed{}, fmt.Errorf("install: %w", err)
	}
	return load(s.Dir, in.manifest.ID()), nil
}

// installation is one staged package on its way into the store.
type installation struct {
	store       *Store
	options     InstallOptions
	dir         string
	root        *os.Root
	manifest    *capsule.Manifest
	archiveHash string
	wasm        []byte
	previous    Installed         // Manifest and Meta are nil when there is none
	wit         map[string][]byte // interface files by name
}

func (in *installation) run(ctx context.Context) error {
	if err := in.identify(); err != nil {
		return err
	}
	if consent := in.store.Consent; consent != nil {
		if err := consent(ctx, in.manifest, in.previous.Manifest); err != nil {
			return err
		}
	}
	meta, err := in.record()
	if err != nil {
		return err
	}
	if err := in.callbacks(ctx, meta); err != nil {
		return err
	}
	if err := in.putShared(meta); err != nil {
		return err
	}
	if err := capsule.SaveMeta(in.dir, meta); err != nil {
		return err
	}
	if err := syncTree(in.dir); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := in.store.swap(in.dir, filepath.Join(in.store.Dir, in.manifest.ID())); err != nil {
		return err
	}
	return capsule.SyncDir(in.store.Dir)
}

// loadManifest reads the staged manifest.
func (in *installation) loadManifest() error {
	m, err := capsule.LoadManifest(filepath.Join(in.dir, capsule.ManifestName))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: there is no %s at its top", ErrBadPackage, capsule.ManifestName)
	}
	if err != nil {
		// The staging path in front of the line number would only puzzle.
		return fmt.Errorf("%w: %s", ErrBadPackage, strings.ReplaceAll(err.Error(), in.dir+string(filepath.Separator), ""))
	}
	in.manifest = m
	return nil
}

// identify reads the manifest and the binary and compares them with what was asked for.
func (in *installation) identify() error {
	if err := in.loadManifest(); err != nil {
		return err
	}
	m := in.manifest
	if want := in.options.Name; want != "" && want != m.ID() {
		return fmt.Errorf("%w: it is called %q, %q was expected", ErrBadPackage, m.ID(), want)
	}
	if want := in.options.Version; want != "" && want != m.Package.Version.String() {
		return fmt.Errorf("%w: %s has version %s, %s was expected", ErrBadPackage, m.ID(), m.Package.Version, want)
	}
	if want := in.options.ArchiveHash; want != "" && want != in.archiveHash {
		return fmt.Errorf("%w: the archive of %s has hash %s, %s was expected", ErrIntegrity, m.ID(), in.archiveHash, want)
	}
	if want := in.options.ManifestHash; want != "" && want != m.Hash {
		return fmt.Errorf("%w: the manifest of %s is not the one that was agreed to", ErrIntegrity, m.ID())
	}
	if err := in.readWasm(); err != nil {
		return fmt.Errorf("capsule %s: %w", m.ID(), err)
	}
	var err error
	in.previous, err = in.store.Get(m.ID())
	if errors.Is(err, ErrNotInstalled) {
		return nil
	}
	return err
}

func (in *installation) readWasm() error {
	main := in.manifest.Main()
	if main == nil {
		if in.options.WasmHash != "" {
			return fmt.Errorf("%w: it has no component, hash %s was expected", ErrIntegrity, in.options.WasmHash)
		}
		return nil
	}
	file := path.Clean(main.File)
	data, err := readRegular(in.root, file, MaxFileSize)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: component file %q is missing: build the project, or install the archive that it comes from (an installed capsule's directory has no code in it)", ErrBadPackage, main.File)
	}
	if err != nil {
		return err
	}
	found := capsule.Hash(data)
	if err := declaredHash(main, found); err != nil {
		return err
	}
	if want := in.options.WasmHash; want != "" && want != found {
		return fmt.Errorf("%w: %s has hash %s, %s was expected", ErrIntegrity, main.File, found, want)
	}
	in.wasm = data
	return in.root.Remove(file)
}

// record describes the package.
func (in *installation) record() (*capsule.Meta, error) {
	meta := capsule.NewMeta(in.manifest)
	var err error
	if meta.Topics, err = bakeTopics(in.root, in.manifest); err != nil {
		return nil, err
	}
	if in.wit, err = readWit(in.root); err != nil {
		return nil, err
	}
	for name, data := range in.wit {
		if meta.WitFiles == nil {
			meta.WitFiles = map[string]string{}
		}
		meta.WitFiles[name] = capsule.Hash(data)
	}
	if meta.Files, err = hashTree(in.root); err != nil {
		return nil, err
	}
	if in.wasm != nil {
		meta.WasmHash = capsule.Hash(in.wasm)
	}
	meta.ArchiveHash = in.archiveHash
	meta.UpdatedAt = in.store.now()
	meta.InstalledAt = meta.UpdatedAt
	meta.Source = in.options.Source
	if old := in.previous.Meta; old != nil {
		meta.InstalledAt = old.InstalledAt
		if meta.Source == "" {
			meta.Source = old.Source
		}
	}
	return meta, nil
}

// callbacks runs what others do with a new capsule. None of it may change the package that was checked.
func (in *installation) callbacks(ctx context.Context, meta *capsule.Meta) error {
	if prepare := in.store.Prepare; prepare != nil && in.wasm != nil {
		if err := prepare(ctx, in.manifest, in.wasm); err != nil {
			return fmt.Errorf("prepare %s: %w", in.manifest.ID(), err)
		}
	}
	if in.store.Hook == nil || in.wasm == nil {
		return nil
	}
	h := Hook{Phase: Install, Manifest: in.manifest, Dir: in.dir, Wasm: in.wasm}
	if old := in.previous.Meta; old != nil {
		h.Phase, h.Previous = Upgrade, old.Version
	}
	if err := in.store.Hook(ctx, h); err != nil {
		return fmt.Errorf("%s hook of %s: %w", h.Phase, in.manifest.ID(), err)
	}
	after, err := hashTree(in.root)
	if err != nil {
		return err
	}
	if !maps.Equal(after, meta.Files) {
		return fmt.Errorf("%w: the %s hook of %s changed the capsule's own files: %s",
			ErrMalicious, h.Phase, in.manifest.ID(), strings.Join(differences(meta.Files, after), ", "))
	}
	return nil
}

// putShared stores what lies outside the capsule's directory, under the hash of its content. It comes last,
// and what a later failure leaves is harmless: Prune finds it.
func (in *installation) putShared(meta *capsule.Meta) error {
	if in.wasm != nil {
		if err := in.store.putContent(in.store.BinDir, binaryName(meta.WasmHash), in.wasm); err != nil {
			return err
		}
	}
	if in.store.WitDir == "" {
		return nil
	}
	for name, data := range in.wit {
		if err := in.store.putContent(in.store.WitDir, meta.WitFiles[name]+".wit", data); err != nil {
			return err
		}
	}
	return nil
}

// differences lists the files that two records disagree about.
func differences(a, b map[string]string) []string {
	var out []string
	for name, hash := range a {
		if b[name] != hash {
			out = append(out, name)
		}
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}
