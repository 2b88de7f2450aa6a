package vfs

import (
	"io/fs"
	"path"
	"strings"
	"unicode"

	"golang.org/x/sys/unix"
)

// at returns the path that an operation works on. Without Hide it is the clean name, whose links os.Root follows. With Hide
// the links are followed here first (the last one if follow), so that no link is a side door: what is hidden does not exist for
// a reader and is forbidden to a writer.
func (v *HostVfs) at(name string, follow, write bool) (string, error) {
	p, err := cleanName(name)
	if err != nil || v.opts.Hide == nil || p == "." {
		return p, err
	}
	canon := ""
	if follow {
		canon, err = v.follow(p)
	} else if canon, err = v.follow(path.Dir(p)); err == nil {
		canon = path.Join(canon, path.Base(p))
	}
	if err != nil {
		return "", err
	}
	if v.hidden(canon) {
		if write {
			return "", fs.ErrPermission
		}
		return "", unix.ENOENT
	}
	return canon, nil
}

// hidden reports whether Hide names a canonical path or a directory above it.
func (v *HostVfs) hidden(p string) bool {
	if v.opts.Hide == nil {
		return false
	}
	for p = fold(p); p != "."; p = path.Dir(p) {
		if v.opts.Hide(p) {
			return true
		}
	}
	return false
}

// hides reports whether something at or below a canonical path is hidden, so that the whole must not be moved or deleted.
func (v *HostVfs) hides(p string) (bool, error) {
	if v.opts.Hide == nil {
		return false, nil
	}
	fi, err := v.root.Lstat(p)
	if err != nil || !fi.IsDir() {
		return v.hidden(p), ignoreNotExist(err)
	}
	found := false
	err = fs.WalkDir(v.root.FS(), p, func(q string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if v.hidden(q) {
			found = true
			return fs.SkipAll
		}
		return nil
	})
	return found, err
}

// fold spells a name in lower case. It takes the smallest of the runes that fold to each other, because a filesystem may hold
// "ſ" for "s" and the Kelvin sign for "k".
func fold(p string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		return unicode.ToLower(least)
	}, p)
}
