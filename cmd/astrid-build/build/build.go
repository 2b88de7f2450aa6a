package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/capsule/store"
)

// Kind is a kind of project.
type Kind string

// The kinds of project that can be built.
const (
	KindGo     Kind = "go"     // Go source, compiled here
	KindWasm   Kind = "wasm"   // the component file is already there
	KindRust   Kind = "rust"   // a crate, compiled here
	KindMCP    Kind = "mcp"    // a description of MCP servers, whose manifest is made here
	KindStatic Kind = "static" // no component: MCP servers, skills, context files
)

// Options says what to build.
type Options struct {
	Dir    string    // project directory
	Output string    // a directory, or a file ending in .capsule; "" means <Dir>/dist
	Kind   Kind      // "" detects it
	Log    io.Writer // output of the compiler; nil discards it
}

// Result is a built archive.
type Result struct {
	Path     string // the archive
	Manifest *capsule.Manifest
	Size     int64  // of the archive, in bytes
	WasmHash string // BLAKE3 of the component; "" without one
}

// ErrProject marks errors that the author of the project has to correct.
var ErrProject = errors.New("cannot build this project")

// Build compiles, checks and packs one project.
func Build(ctx context.Context, o Options) (Result, error) {
	p, kind, err := open(o)
	if err != nil {
		return Result{}, err
	}
	m := p.manifest
	switch kind {
	case KindRust:
		p.wasm, err = compileRust(ctx, o.Dir, m, o.Log)
	case KindGo:
		p.wasm, err = compile(ctx, o.Dir, o.Log)
	case KindWasm:
		p.wasm, err = os.ReadFile(filepath.Join(o.Dir, filepath.FromSlash(m.Main().File)))
	}
	if err != nil {
		return Result{}, err
	}
	if p.wasm != nil {
		if err := checkModule(ctx, m, p.wasm); err != nil {
			return Result{}, err
		}
		if err := p.tryRun(ctx, o.Log); err != nil {
			return Result{}, err
		}
	}
	files, err := p.files()
	if err != nil {
		return Result{}, err
	}
	var archive bytes.Buffer
	if err := store.Pack(&archive, files); err != nil {
		return Result{}, err
	}
	hash, err := tryInstall(ctx, m, archive.Bytes())
	if err != nil {
		return Result{}, err
	}
	target, err := outputPath(o, m)
	if err != nil {
		return Result{}, err
	}
	if err := capsule.WriteFileAtomic(target, archive.Bytes(), 0o644); err != nil {
		return Result{}, err
	}
	return Result{Path: target, Manifest: m, Size: int64(archive.Len()), WasmHash: hash}, nil
}

// open reads the manifest, or makes it of what an MCP project has instead.
func open(o Options) (*project, Kind, error) {
	path := filepath.Join(o.Dir, capsule.ManifestName)
	if !exists(path) {
		for _, name := range mcpNames {
			if exists(filepath.Join(o.Dir, name)) && (o.Kind == "" || o.Kind == KindMCP) {
				m, text, err := convert(o.Dir, name)
				return &project{dir: o.Dir, manifest: m, text: text}, KindMCP, err
			}
		}
	}
	if o.Kind == KindMCP {
		return nil, "", fmt.Errorf("%w: --type mcp, but there is a %s, or neither of %s", ErrProject, capsule.ManifestName, strings.Join(mcpNames, ", "))
	}
	m, err := capsule.LoadManifest(path)
	if err != nil {
		return nil, "", explainMissing(o.Dir, err)
	}
	kind, err := detect(o.Dir, m, o.Kind)
	return &project{dir: o.Dir, manifest: m}, kind, err
}

// outputPath creates the output directory and names the archive.
func outputPath(o Options, m *capsule.Manifest) (string, error) {
	out := o.Output
	if out == "" {
		out = filepath.Join(o.Dir, "dist")
	}
	if path.Ext(out) != store.ArchiveSuffix {
		out = filepath.Join(out, m.ID()+store.ArchiveSuffix)
	}
	return out, os.MkdirAll(filepath.Dir(out), 0o755)
}

// tryInstall installs the archive into a store of its own, which applies every rule that a user's store has.
func tryInstall(ctx context.Context, m *capsule.Manifest, archive []byte) (wasmHash string, err error) {
	scratch, err := os.MkdirTemp("", "astrid-build-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(scratch)
	s := store.Store{Dir: filepath.Join(scratch, "capsules"), BinDir: filepath.Join(scratch, "bin")}
	installed, err := s.InstallArchive(ctx, bytes.NewReader(archive), store.InstallOptions{Name: m.ID()})
	if err != nil {
		return "", fmt.Errorf("%w: the packed capsule cannot be installed: %w", ErrProject, err)
	}
	if err := s.Verify(m.ID()); err != nil {
		return "", fmt.Errorf("%w: %w", ErrProject, err)
	}
	return installed.Meta.WasmHash, nil
}
