package wasm

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/tetratelabs/wazero"
	"github.com/zeebo/blake3"

	"github.com/unicity-astrid/astrid-go/capsule/meter"
)

// Most of the time it takes wazero to load code that it has cached goes into reading and
// validating a module whose bodies are not used any more. So the code of a module is filed as that
// of its [meter.Skeleton], and a start loads the skeleton. Where wazero files code is its own affair
// and is found out by watching it, in a directory of its own: see aside.
//
// If wazero did not find the code it would compile the skeleton, which traps and does nothing else.
// So its file is compared with what is on record before, and looked at again after.

// code is what is on record about the machine code of one module.
type code struct {
	Native   string `json:"native"` // its file below nativeDir
	Sum      string `json:"sum"`    // BLAKE3 of the file
	skeleton []byte
}

// errNoCode: the module has no function that would need any.
var errNoCode = errors.New("no code")

// cached returns the module from the cache, which it fills before if it has to. The module is nil if it
// cannot be there.
func (r *Runtime) cached(ctx context.Context, binary []byte) (wazero.CompiledModule, error) {
	sum := blake3.Sum256(binary)
	path := filepath.Join(r.opts.CacheDir, codeDir, hex.EncodeToString(sum[:])+"-"+meter.Version+"-"+r.place)
	// One at a time: who finds out that wazero compiled the skeleton drops it from the runtime before the next can be given it.
	mu, _ := r.filing.LoadOrStore(path, new(sync.Mutex))
	mu.(*sync.Mutex).Lock()
	defer mu.(*sync.Mutex).Unlock()
	for range 3 { // another process may be filing the same code
		if m, ok := r.kept(ctx, path); ok {
			return m, nil
		}
		switch err := r.keep(ctx, path, binary); {
		case errors.Is(err, errNoCode):
			return nil, nil
		case err != nil:
			return nil, err
		}
	}
	return nil, nil
}

// kept returns the module whose code is on record at path.
func (r *Runtime) kept(ctx context.Context, path string) (wazero.CompiledModule, bool) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, false
	}
	c, ok := parseCode(raw)
	if !ok {
		return nil, false
	}
	native := filepath.Join(r.opts.CacheDir, nativeDir, c.Native)
	before, sum, err := sumFile(native)
	if err != nil || sum != c.Sum {
		return nil, false
	}
	m, err := r.rt.CompileModule(ctx, c.skeleton)
	if err != nil {
		return nil, false
	}
	after, err := os.Lstat(native)
	if err != nil || !os.SameFile(before, after) || !before.ModTime().Equal(after.ModTime()) || before.Size() != after.Size() {
		_ = m.Close(ctx) // it may be the skeleton's own code
		return nil, false
	}
	return m, true
}

// keep meters and compiles a binary and puts the code on record at path.
func (r *Runtime) keep(ctx context.Context, path string, binary []byte) error {
	metered, err := meter.Rewrite(binary, meter.Options{})
	if err != nil {
		return err
	}
	skeleton, err := meter.Skeleton(metered)
	if err != nil {
		return err
	}
	return r.aside(ctx, func(dir string, compile func([]byte) (string, error)) error {
		file, err := compile(metered)
		if err != nil {
			return err
		}
		c := code{skeleton: skeleton}
		if c.Native, err = compile(skeleton); err != nil {
			return err
		}
		file = filepath.Join(dir, file)
		if _, c.Sum, err = sumFile(file); err == nil {
			err = os.Rename(file, filepath.Join(r.opts.CacheDir, nativeDir, c.Native))
		}
		if err == nil {
			err = c.write(path)
		}
		if err != nil {
			return fmt.Errorf("compile cache: %w", err)
		}
		return nil
	})
}

// aside gives do a compiler with an empty cache in dir. It returns the name of the file, in dir, that wazero
// puts the code of a module in.
func (r *Runtime) aside(ctx context.Context, do func(dir string, compile func([]byte) (string, error)) error) (err error) {
	dir, err := os.MkdirTemp(r.opts.CacheDir, asideDir+"*")
	if err != nil {
		return fmt.Errorf("compile cache: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	cache, err := wazero.NewCompilationCacheWithDir(dir)
	if err != nil {
		return fmt.Errorf("compile cache: %w", err)
	}
	rt := wazero.NewRuntimeWithConfig(ctx, features(wazero.NewRuntimeConfig()).WithMemoryLimitPages(uint32(r.memory>>16)).WithCompilationCache(cache))
	defer func() { err = errors.Join(err, rt.Close(ctx), cache.Close(ctx)) }()
	var seen []string
	return do(dir, func(module []byte) (string, error) {
		m, err := rt.CompileModule(ctx, module)
		if err != nil {
			return "", fmt.Errorf("compile: %w", err)
		}
		defer m.Close(ctx)
		files, err := filepath.Glob(filepath.Join(dir, "*", "*"))
		if err != nil {
			return "", err
		}
		for _, f := range files {
			if f, err = filepath.Rel(dir, f); err == nil && !slices.Contains(seen, f) {
				seen = append(seen, f)
				return f, nil
			}
		}
		return "", errNoCode
	})
}

// probe is a module with one function.
var probe = []byte("\x00asm\x01\x00\x00\x00" + "\x01\x04\x01\x60\x00\x00" + "\x03\x02\x01\x00" + "\x0a\x04\x01\x02\x00\x0b")

// findPlace names what a module's file depends on besides the module: wazero's version, and the processor.
func (r *Runtime) findPlace(ctx context.Context) error {
	return r.aside(ctx, func(_ string, compile func([]byte) (string, error)) error {
		file, err := compile(probe)
		sum := blake3.Sum256([]byte(file))
		r.place = hex.EncodeToString(sum[:8])
		if err != nil {
			return err
		}
		// wazero makes this directory when it files the first module; files are moved into it.
		return os.MkdirAll(filepath.Join(r.opts.CacheDir, nativeDir, filepath.Dir(file)), 0o700)
	})
}

func (c *code) write(path string) error {
	head, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return replace(path, seal(slices.Concat(head, []byte("\n"), c.skeleton)))
}

func parseCode(raw []byte) (c code, ok bool) {
	raw, ok = unseal(raw)
	if !ok {
		return c, false
	}
	i := slices.Index(raw, '\n')
	if i < 0 || json.Unmarshal(raw[:i], &c) != nil || !fs.ValidPath(c.Native) {
		return c, false
	}
	c.skeleton = raw[i+1:]
	return c, true
}

// sumFile returns a file's BLAKE3 hash, and what it was of.
func sumFile(path string) (fs.FileInfo, string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, "", err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, "", err
	}
	h := blake3.New()
	if _, err := io.Copy(h, f); err != nil {
		return nil, "", err
	}
	return fi, hex.EncodeToString(h.Sum(nil)), nil
}
