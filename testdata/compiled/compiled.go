// Package compiled gives homes of tests the machine code of capsules, since compiling takes longer than a test.
package compiled

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/unicity-astrid/astrid-go/kernel/home"
)

// Env names a home that has all stock capsules compiled; make test sets it. Tests that do not find
// it compile what they need.
const Env = "ASTRID_TEST_COMPILED"

// Seed gives a home what the home that Env names has compiled.
func Seed(to home.Home) error {
	root := os.Getenv(Env)
	if root == "" {
		return nil
	}
	from, err := home.New(root)
	if err != nil {
		return err
	}
	return Link(from.CacheDir(), to)
}

// Link gives a home what is in a compile cache. Its files never change, so that links will do.
func Link(cache string, to home.Home) error {
	return filepath.WalkDir(cache, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(cache, path)
		if err != nil {
			return err
		}
		dst := filepath.Join(to.CacheDir(), rel)
		if d.IsDir() {
			return os.MkdirAll(dst, 0o700)
		}
		if err := os.Link(path, dst); err == nil || errors.Is(err, fs.ErrExist) {
			return nil
		}
		return copyFile(path, dst) // on another file system
	})
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
