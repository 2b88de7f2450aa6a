package wasm

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/tetratelabs/wazero"
	"github.com/zeebo/blake3"
)

// Directories below Options.CacheDir.
const (
	nativeDir = "native" // machine code, as wazero files it
	codeDir   = "code"   // which code is whose, see code

	asideDir = "compile-" // begins the names of directories that something is compiled in
)

// openCache opens the compile cache in dir. Whoever can write there can run code in this
// process, so directories of others, or that others can write to, are refused.
func openCache(dir string) (wazero.CompilationCache, error) {
	for _, d := range []string{dir, filepath.Join(dir, nativeDir), filepath.Join(dir, codeDir), filepath.Join(dir, knownDir)} {
		if err := checkCacheDir(d); err != nil {
			return nil, err
		}
	}
	c, err := wazero.NewCompilationCacheWithDir(filepath.Join(dir, nativeDir))
	if err != nil {
		return nil, fmt.Errorf("compile cache: %w", err)
	}
	return c, nil
}

func checkCacheDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("compile cache: %w", err)
	}
	fi, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("compile cache: %w", err)
	}
	if !fi.IsDir() {
		return fmt.Errorf("compile cache %s is not a directory", dir)
	}
	if fi.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("compile cache %s: mode is %v, others could plant code there: run chmod 700 on it", dir, fi.Mode().Perm())
	}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("compile cache %s belongs to user %d, who could plant code there: remove it", dir, st.Uid)
	}
	return nil
}

// seal appends the hash of what is before it: a file that was cut off by a crash is written anew.
func seal(module []byte) []byte {
	sum := blake3.Sum256(module)
	return append(bytes.Clone(module), sum[:]...)
}

func unseal(b []byte) ([]byte, bool) {
	if len(b) < 32 {
		return nil, false
	}
	module, seal := b[:len(b)-32], b[len(b)-32:]
	sum := blake3.Sum256(module)
	return module, bytes.Equal(sum[:], seal)
}

// replace puts data at path as a whole.
func replace(path string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), "new-*")
	if err != nil {
		return err
	}
	_, err = tmp.Write(data)
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return nil
}
