package store

import (
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"sort"

	"github.com/zeebo/blake3"

	"github.com/unicity-astrid/astrid-go/capsule"
)

// Repack writes the archive of an installed capsule. For one that astrid-build packed it is the archive that
// was installed, byte for byte. Every byte is checked against the record of the installation first.
func (s *Store) Repack(w io.Writer, name string) error {
	if err := s.Verify(name); err != nil {
		return err
	}
	i, err := s.Get(name)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(i.Dir)
	if err != nil {
		return err
	}
	defer root.Close()
	files, err := treeFiles(root, func(name string) bool { return name == capsule.MetaName })
	if err != nil {
		return err
	}
	if main := i.Manifest.Main(); main != nil {
		wasm, err := VerifyBinary(i.Dir, i.Manifest, i.Meta, s.BinDir)
		if err != nil {
			return err
		}
		files = append(files, File{Name: path.Clean(main.File), Data: wasm})
	}
	return Pack(w, files)
}

// treeHash is the hash of what Pack makes of the files below root.
func treeHash(root *os.Root) (string, error) {
	files, err := treeFiles(root, nil)
	if err != nil {
		return "", err
	}
	h := blake3.New()
	if err := Pack(h, files); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// treeFiles reads all regular files below root that skip does not name.
func treeFiles(root *os.Root, skip func(string) bool) ([]File, error) {
	var files []File
	var total int64
	err := fs.WalkDir(root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || skip != nil && skip(name) {
			return err
		}
		data, err := readRegular(root, name, MaxFileSize)
		if err != nil {
			return err
		}
		if total += int64(len(data)); total > MaxTotalSize {
			return fmt.Errorf("%w: more than %d bytes", ErrTooLarge, MaxTotalSize)
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		files = append(files, File{Name: name, Data: data, Executable: info.Mode()&0o100 != 0})
		return nil
	})
	sort.Slice(files, func(i, j int) bool { return files[i].Name < files[j].Name })
	return files, err
}
