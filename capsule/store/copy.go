package store

import (
	"fmt"
	"io/fs"
	"os"
	"path"
)

// copyTree copies a prepared capsule directory below root. Version control and build output (.git and target
// anywhere, dist and the workspace's own .astrid at the top) and the records of an earlier installation stay behind. A symbolic link is
// refused: following it would copy files from outside the package into the store.
func copyTree(from string, root *os.Root) error {
	src, err := os.OpenRoot(from)
	if err != nil {
		return err
	}
	defer src.Close()
	n := newNames()
	return fs.WalkDir(src.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name == "." {
			return nil
		}
		if e.IsDir() && skippedDir(name) {
			return fs.SkipDir
		}
		if reserved(name) {
			return nil
		}
		clean, err := n.admit(name, e.IsDir())
		if err != nil {
			return err
		}
		if e.IsDir() {
			return root.MkdirAll(clean, 0o700)
		}
		return copyFile(src, root, n, clean, e)
	})
}

func skippedDir(name string) bool {
	base := path.Base(name)
	return base == ".git" || base == "target" || name == "dist" || name == ".astrid"
}

func copyFile(src, root *os.Root, n *names, name string, e fs.DirEntry) error {
	switch {
	case e.Type()&fs.ModeSymlink != 0:
		return fmt.Errorf("%w: links are not allowed (%q)", ErrMalicious, name)
	case !e.Type().IsRegular():
		return fmt.Errorf("%w: only files and directories are allowed (%q)", ErrMalicious, name)
	}
	f, err := openRegular(src, name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := n.charge(name, info.Size()); err != nil {
		return err
	}
	return writeFile(root, name, f, info.Size(), info.Mode()&0o100 != 0)
}

// openRegular opens a file that must be a regular one and no link, also when it is exchanged meanwhile.
func openRegular(root *os.Root, name string) (*os.File, error) {
	before, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !before.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %q is not a regular file", ErrMalicious, name)
	}
	f, err := root.OpenFile(name, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil, err
	}
	if after, err := f.Stat(); err != nil || !os.SameFile(before, after) {
		f.Close()
		return nil, fmt.Errorf("%w: %q changed while it was read", ErrMalicious, name)
	}
	return f, nil
}

// readRegular reads a regular file below root of at most limit bytes.
func readRegular(root *os.Root, name string, limit int64) ([]byte, error) {
	f, err := openRegular(root, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAtMost(f, name, limit)
}
