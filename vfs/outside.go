package vfs

import (
	"errors"
	"path"
	"sync"

	"golang.org/x/sys/unix"
)

// HardLinks says which files of the workspace are read although they have another name outside. Package managers make such
// files in numbers, out of a store that everybody may read; a private file is one that somebody put there.
type HardLinks uint8

// The values of HardLinks.
const (
	LinksPublic HardLinks = iota // those that everybody on the machine may read
	LinksNone                    // none
	LinksAll                     // all
)

// outsiders finds out which files of the lower layer have names elsewhere. The kernel counts a file's names and does not say where
// they are, so all names of the workspace are counted.
type outsiders struct {
	mu   sync.Mutex
	seen map[linkedFile]uint64 // how many names a file has in the workspace
}

// linkedFile is a file with a state of its names: a new name, a lost one, and another file of the same number show in it.
type linkedFile struct {
	fileID
	nlink uint64
	ctime int64
}

func (s *stat) linked() linkedFile { return linkedFile{fileID{s.dev, s.ino}, s.nlink, s.ctime} }

// suspect tells whether a file is kept from agents if it has names outside.
func (v *overlay) suspect(st *stat) bool { return st.nlink > 1 && st.isFile() && v.singular(st) }

// singular tells whether a second name elsewhere would keep a file from agents.
func (v *overlay) singular(st *stat) bool {
	links := LinksPublic
	if v.opts.HardLinks != nil {
		links = v.opts.HardLinks()
	}
	return links == LinksNone || links == LinksPublic && st.mode&0o004 == 0
}

// readable is ErrOutside for a file of the lower layer that is kept from agents.
func (v *overlay) readable(st *stat) error {
	if !v.suspect(st) {
		return nil
	}
	v.outside.mu.Lock()
	defer v.outside.mu.Unlock()
	n, known := v.outside.seen[st.linked()]
	if !known {
		if _, err := v.countNames(); err != nil {
			return err
		}
		n = v.outside.seen[st.linked()]
	}
	if n < st.nlink {
		return ErrOutside
	}
	return nil
}

// Outside lists the files that are kept from agents because they have other names outside of the workspace. It looks through all
// of the workspace.
func (v *OverlayVfs) Outside() (paths []string, err error) {
	err = v.reading("look through", ".", func(string) error {
		v.outside.mu.Lock()
		defer v.outside.mu.Unlock()
		names, err := v.countNames()
		for f, in := range names {
			if v.outside.seen[f] < f.nlink {
				paths = append(paths, in...)
			}
		}
		return err
	})
	return paths, err
}

// IsOutside tells whether what is at a path now is such a file.
func (v *OverlayVfs) IsOutside(name string) bool {
	err := v.reading("stat", name, func(string) error { return v.insideOnly(name, false) })
	return errors.Is(err, ErrOutside)
}

// insideOnly is ErrOutside if a name leads to a file that is kept from agents. A kernel mount does not know of it.
func (v *OverlayVfs) insideOnly(name string, follow bool) error {
	p, err := v.clean(name)
	if err != nil {
		return err
	}
	pl, err := v.find(p, follow)
	if isMissing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer pl.close()
	if pl.up != nil || pl.low == nil {
		return nil
	}
	return v.readable(pl.low)
}

// countNames counts the names of all suspects anew, and lists them. A directory that cannot be read counts as empty.
func (v *overlay) countNames() (map[linkedFile][]string, error) {
	v.outside.seen = map[linkedFile]uint64{}
	names := map[linkedFile][]string{}
	err := v.countNamesIn(v.low, ".", names)
	return names, err
}

func (v *overlay) countNamesIn(dir int, at string, names map[linkedFile][]string) error {
	list, err := namesAt(dir)
	if err != nil {
		return err
	}
	for _, name := range list {
		st, err := statAt(dir, name)
		switch {
		case isMissing(err):
		case err != nil:
			return err
		case st.isDir():
			sub, err := openDirAt(dir, name)
			if err == nil {
				err = v.countNamesIn(sub, path.Join(at, name), names)
				unix.Close(sub)
			}
			if err = ignoreDenied(err); err != nil && !isMissing(err) {
				return err
			}
		case v.suspect(st):
			id := st.linked()
			v.outside.seen[id]++
			names[id] = append(names[id], path.Join(at, name))
		}
	}
	return nil
}
