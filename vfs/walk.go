package vfs

import (
	"strings"

	"golang.org/x/sys/unix"
)

// node is an open directory of the merged view: its descriptors in the two layers, -1 where it does not exist or is hidden.
type node struct {
	up, low int
	root    bool // the descriptors belong to the overlay
}

func (n node) close() {
	if n.root {
		return
	}
	if n.up >= 0 {
		unix.Close(n.up)
	}
	if n.low >= 0 {
		unix.Close(n.low)
	}
}

// place is where a name led: an entry, existing or not, of an open merged directory.
type place struct {
	dir  node
	path string // canonical, no links in it
	base string // the entry's name in dir; "." is the root
	// up is the upper layer's entry, nil for none or a whiteout. low is the lower layer's as far as the directories above let
	// it through, even when up or a whiteout covers it.
	up, low *stat
	white   bool
}

func (p *place) close() { p.dir.close() }

// st is the entry of the merged view, nil when there is none.
func (p *place) st() *stat {
	if p.up != nil || p.white {
		return p.up
	}
	return p.low
}

func (v *OverlayVfs) rootNode() node { return node{up: v.up, low: v.low, root: true} }

// walk follows a clean name in the merged view. When a directory on the way is missing the error is ENOENT and the place
// has only a path: the canonical one that the name would have, or "" when a dangling link makes that meaningless.
func (v *OverlayVfs) walk(p string, follow bool) (place, error) { return v.lookup(p, follow, lookBoth) }

// find is walk for reading: the place's low is not looked up where up covers it.
func (v *OverlayVfs) find(p string, follow bool) (place, error) { return v.lookup(p, follow, lookTop) }

// lookMode is what lookup finds out about the last component.
type lookMode int

const (
	lookBoth lookMode = iota // what each layer has
	lookTop                  // what the view has
	lookNone                 // only where it would be; a link there is not followed
)

func (v *OverlayVfs) lookup(p string, follow bool, mode lookMode) (place, error) {
	cur := v.rootNode()
	var done, rest []string
	links := 0
	if p != "." {
		rest = strings.Split(p, "/")
	}
	restart := func() {
		rest = append(append([]string{}, done...), rest...)
		done = nil
		cur.close()
		cur = v.rootNode()
	}
	for {
		if len(rest) == 0 {
			if len(done) == 0 {
				return v.rootPlace()
			}
			restart() // a link ended in a directory: look at it from its parent, like any other entry
			continue
		}
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			if len(done) == 0 {
				cur.close()
				return place{}, ErrEscape
			}
			done = done[:len(done)-1]
			restart()
			continue
		}
		var next node
		var link string
		var err error
		if len(rest) == 0 {
			pl := place{dir: cur, path: joinName(done, part), base: part}
			if mode == lookNone {
				return pl, nil
			}
			if err = v.look(&pl, mode == lookBoth); err != nil {
				cur.close()
				return place{}, err
			}
			if st := pl.st(); st == nil || !st.isLink() || !follow {
				return pl, nil
			}
			link, err = v.readlink(&pl)
		} else {
			next, link, err = v.enter(cur, part)
		}
		if err == nil && link != "" {
			if links++; links > v.links {
				if err = unix.ELOOP; v.links == 0 {
					err = ErrReplaced
				}
			} else if link[0] == '/' {
				err = ErrEscape
			}
		}
		if err != nil {
			cur.close()
			if err != unix.ENOENT {
				return place{}, err
			}
			full, terr := missingTail(joinName(done, part), rest)
			if terr != nil {
				full = ""
			}
			return place{dir: node{up: -1, low: -1}, path: full}, err
		}
		if link != "" {
			rest = append(strings.Split(link, "/"), rest...)
			continue
		}
		cur.close()
		cur, done = next, append(done, part)
	}
}

func joinName(done []string, last string) string {
	if len(done) == 0 {
		return last
	}
	return strings.Join(done, "/") + "/" + last
}

func (v *OverlayVfs) rootPlace() (place, error) {
	pl := place{dir: v.rootNode(), path: ".", base: "."}
	var err error
	if pl.up, err = statFd(v.up); err == nil {
		pl.low, err = statFd(v.low)
	}
	return pl, err
}

// look fills in what the two layers have at a place whose directory is open; the lower one where it is covered only if both.
func (v *OverlayVfs) look(pl *place, both bool) error {
	if pl.dir.up >= 0 {
		st, err := statAt(pl.dir.up, pl.base)
		switch {
		case err == nil && v.isWhiteout(pl.dir.up, pl.base, st):
			pl.white = true
		case err == nil:
			pl.up = st
		case err != unix.ENOENT:
			return err
		}
	}
	if pl.dir.low >= 0 && (both || pl.up == nil && !pl.white) {
		st, err := statAt(pl.dir.low, pl.base)
		switch {
		case err == nil && !st.devZero(): // overlayfs takes a 0/0 device for a whiteout in the lower layer too
			pl.low = st
		case err != nil && err != unix.ENOENT:
			return err
		}
	}
	return nil
}

// readlink reads the link at a place.
func (v *OverlayVfs) readlink(pl *place) (string, error) {
	dir := pl.dir.low
	if pl.up != nil {
		dir = pl.dir.up
	}
	target, err := readlinkAt(dir, pl.base)
	if err == nil && target == "" {
		err = unix.ENOENT
	}
	return target, err
}

// enter opens the directory name of a merged directory, or returns the target of a link by that name.
func (v *OverlayVfs) enter(cur node, name string) (next node, link string, err error) {
	next = node{up: -1, low: -1}
	hidden := false
	if cur.up >= 0 {
		fd, err := openDirAt(cur.up, name)
		switch {
		case err == nil:
			next.up = fd
			hidden = v.isOpaque(fd)
		case notDir(err):
			st, err := statAt(cur.up, name)
			if err != nil {
				return next, "", err
			}
			if v.isWhiteout(cur.up, name, st) {
				return next, "", unix.ENOENT
			}
			return v.linkOr(next, cur.up, name, st)
		case err != unix.ENOENT:
			return next, "", err
		}
	}
	if cur.low >= 0 && !hidden {
		fd, err := openDirAt(cur.low, name)
		switch {
		case err == nil:
			next.low = fd
		case notDir(err) && next.up < 0:
			st, err := statAt(cur.low, name)
			if err != nil {
				return next, "", err
			}
			if st.devZero() {
				return next, "", unix.ENOENT
			}
			return v.linkOr(next, cur.low, name, st)
		case !isMissing(err):
			next.close()
			return node{up: -1, low: -1}, "", err
		}
	}
	if next.up < 0 && next.low < 0 {
		return next, "", unix.ENOENT
	}
	return next, "", nil
}

func (v *OverlayVfs) linkOr(next node, dir int, name string, st *stat) (node, string, error) {
	if !st.isLink() {
		return next, "", unix.ENOTDIR
	}
	target, err := readlinkAt(dir, name)
	if err == nil && target == "" {
		err = unix.ENOENT
	}
	return next, target, err
}

// openDir opens the directory at a place.
func (v *OverlayVfs) openDir(pl *place) (node, error) {
	if pl.base == "." {
		return pl.dir, nil
	}
	n, link, err := v.enter(pl.dir, pl.base)
	if err == nil && link != "" {
		err = unix.ENOTDIR
	}
	return n, err
}

// lowerStat is what the workspace itself has at a canonical path, whatever the overlay says; nil when nothing.
func (v *OverlayVfs) lowerStat(p string) (*stat, error) {
	if p == "." {
		return statFd(v.low)
	}
	st, err := lookAt(v.low, p)
	if st != nil && st.devZero() {
		st = nil
	}
	return st, err
}
