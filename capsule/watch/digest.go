package watch

import (
	"encoding/binary"
	"encoding/hex"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/zeebo/blake3"
)

// Digest is a hash of all regular files below a directory, with their names, that are not ignored. A file
// that cannot be read counts as absent.
func Digest(dir string) (string, error) {
	h := blake3.New()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			if path == dir {
				return err
			}
			return nil
		}
		if path != dir && Ignored(e.Name()) {
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if !e.Type().IsRegular() {
			return nil
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return nil
		}
		defer f.Close()
		one := blake3.New()
		if _, err := io.Copy(one, f); err != nil {
			return nil
		}
		var size [8]byte
		binary.LittleEndian.PutUint64(size[:], uint64(len(rel)))
		_, _ = h.Write(size[:]) // a hash takes everything
		_, _ = h.WriteString(filepath.ToSlash(rel))
		_, _ = h.Write(one.Sum(nil))
		return nil
	})
	return hex.EncodeToString(h.Sum(nil)), err
}
