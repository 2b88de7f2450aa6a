package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/unicity-astrid/astrid-go/capsule"
)

// VerifyBinary reads the WebAssembly binary of an installed capsule and checks it against what was recorded
// at installation. It is called at every load; the bytes returned are the bytes that were hashed. The file
// beside the manifest is used if there is one, else the one in binDir. Without a recorded hash, with another
// hash, or with a manifest that was changed after installation, the error wraps ErrIntegrity and names both
// sides.
func VerifyBinary(dir string, m *capsule.Manifest, meta *capsule.Meta, binDir string) ([]byte, error) {
	main := m.Main()
	if main == nil {
		return nil, fmt.Errorf("capsule %s: %w: it has no component", m.ID(), ErrBadPackage)
	}
	data, path, err := readBinary(dir, main.File, meta, binDir)
	if err != nil {
		return nil, fmt.Errorf("capsule %s: %w", m.ID(), err)
	}
	found := capsule.Hash(data)
	want := ""
	if meta != nil {
		want = meta.WasmHash
	}
	switch {
	case want == "":
		return nil, fmt.Errorf("capsule %s: %w: %s has hash %s and %s records none; install it with astrid capsule install",
			m.ID(), ErrIntegrity, path, found, capsule.MetaName)
	case found != want:
		return nil, fmt.Errorf("capsule %s: %w: %s has hash %s, %s records %s; install it again",
			m.ID(), ErrIntegrity, path, found, capsule.MetaName, want)
	}
	if err := declaredHash(main, found); err != nil {
		return nil, fmt.Errorf("capsule %s: %w", m.ID(), err)
	}
	if want := meta.Files[capsule.ManifestName]; want != "" && want != m.Hash {
		return nil, fmt.Errorf("capsule %s: %w: %s has hash %s, %s records %s; install it again",
			m.ID(), ErrIntegrity, m.Path, m.Hash, capsule.MetaName, want)
	}
	return data, nil
}

// readBinary finds the component beside the manifest or under its hash.
func readBinary(dir, file string, meta *capsule.Meta, binDir string) (data []byte, path string, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, "", err
	}
	defer root.Close()
	path = filepath.Join(dir, filepath.FromSlash(file))
	data, err = readRegular(root, file, MaxFileSize)
	if !errors.Is(err, fs.ErrNotExist) {
		return data, path, err
	}
	if meta == nil || !capsule.ValidHash(meta.WasmHash) {
		return nil, path, fmt.Errorf("%w: %s does not exist and %s records no hash; install it with astrid capsule install",
			ErrIntegrity, path, capsule.MetaName)
	}
	bin, err := os.OpenRoot(binDir)
	if err != nil {
		return nil, path, err
	}
	defer bin.Close()
	name := binaryName(meta.WasmHash)
	data, err = readRegular(bin, name, MaxFileSize)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %s is gone; install the capsule again", ErrIntegrity, filepath.Join(binDir, name))
	}
	return data, filepath.Join(binDir, name), err
}

func binaryName(hash string) string { return hash + ".wasm" }

// declaredHash checks the hash that the author wrote into the manifest, if any.
func declaredHash(c *capsule.Component, found string) error {
	if c.Hash == "" {
		return nil
	}
	if want := strings.ToLower(strings.TrimPrefix(c.Hash, "blake3:")); want != found {
		return fmt.Errorf("%w: %s has hash %s, the manifest declares %s", ErrIntegrity, c.File, found, c.Hash)
	}
	return nil
}

// putContent stores data in dir under a name made of its hash. A file that is already there is trusted only
// after its content was checked; its time is renewed, so that Prune leaves it to whoever is about to record it.
func (s *Store) putContent(dir, name string, data []byte) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	path := filepath.Join(dir, name)
	old, err := os.ReadFile(path)
	if err == nil && bytes.Equal(old, data) {
		return os.Chtimes(path, time.Time{}, s.now())
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return capsule.WriteFileAtomic(path, data, 0o600)
}

func readAtMost(r io.Reader, name string, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%w: %q has more than %d bytes", ErrTooLarge, name, limit)
	}
	return data, nil
}
