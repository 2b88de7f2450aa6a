package vfs

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// What enters the upper layer is made in the staging directory and renamed into place, so that no reader, no kernel mount and
// no crash sees it half done.

// ensureUp opens the upper directory p, which is a directory of the merged view, copying it and its parents up as needed.
func (v *OverlayVfs) ensureUp(p string) (int, error) {
	fd, err := openDirAt(v.up, ".")
	if err != nil || p == "." {
		return fd, err
	}
	at := "."
	for part := range strings.SplitSeq(p, "/") {
		at = path.Join(at, part)
		next, err := openDirAt(fd, part)
		if err == unix.ENOENT {
			next, err = v.copyUpDir(fd, at)
		}
		unix.Close(fd)
		if err != nil {
			return -1, err
		}
		fd = next
	}
	return fd, nil
}

// copyUpDir makes the upper directory of a lower one: owner and mode, without its entries.
func (v *OverlayVfs) copyUpDir(up int, p string) (int, error) {
	st, err := v.lowerStat(p)
	if err != nil {
		return -1, err
	}
	if st == nil || !st.isDir() {
		return -1, unix.ENOENT
	}
	if err := v.cover(p, ""); err != nil {
		return -1, err
	}
	tmp := tempName()
	if err := v.stageDir(tmp, st, false); err != nil {
		return -1, err
	}
	return v.settleDir(tmp, up, path.Base(p), st)
}

// stageDir makes a directory in the staging area, owned as st says, with every permission for its owner until it is settled.
func (v *OverlayVfs) stageDir(tmp string, st *stat, opaque bool) error {
	if err := unix.Mkdirat(v.stage, tmp, 0o700); err != nil {
		return err
	}
	fd, err := openDirAt(v.stage, tmp)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	keepOwnerFd(fd, st)
	if opaque {
		return v.setOpaque(fd, true)
	}
	return nil
}

// settleDir moves a staged directory into place and gives it its mode. That comes last because a directory without write
// permission cannot be moved.
func (v *OverlayVfs) settleDir(tmp string, up int, base string, st *stat) (int, error) {
	fd, err := openDirAt(v.stage, tmp)
	if err != nil {
		return -1, err
	}
	full := unixMode(st.mode)
	if full&0o700 == 0o700 { // the usual case leaves no moment with another mode
		err = unix.Fchmod(fd, full)
	}
	if err == nil {
		err = v.insert(tmp, up, base)
	}
	if err == nil && full&0o700 != 0o700 {
		err = unix.Fchmod(fd, full)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// insert renames a staged entry into an open upper directory, over whatever is there. A directory over a whiteout or file is
// exchanged with it.
func (v *OverlayVfs) insert(tmp string, up int, base string) error {
	err := unix.Renameat(v.stage, tmp, up, base)
	if errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.EISDIR) || errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.EEXIST) {
		err = v.swap(tmp, up, base)
	}
	if errors.Is(err, unix.EACCES) {
		// A copied-up directory may forbid its owner to write, which must not stop a copy-up below it.
		st, serr := statFd(up)
		if serr != nil || st.mode&0o300 == 0o300 || unix.Fchmod(up, unixMode(st.mode)|0o700) != nil {
			return err
		}
		if err = unix.Renameat(v.stage, tmp, up, base); err != nil {
			err = v.swap(tmp, up, base)
		}
		err = errors.Join(err, unix.Fchmod(up, unixMode(st.mode)))
	}
	return err
}

// swap puts a staged entry in the place of another and deletes that one.
func (v *OverlayVfs) swap(tmp string, up int, base string) error {
	if err := exchange(v.stage, tmp, up, base); err == nil {
		return removeTree(v.stage, tmp)
	}
	old, err := v.moveOut(up, base)
	if err != nil {
		return err
	}
	if err := unix.Renameat(v.stage, tmp, up, base); err != nil {
		return err
	}
	return removeTree(v.stage, old)
}

// moveOut moves an upper entry to the staging directory and returns its name there.
func (v *OverlayVfs) moveOut(up int, base string) (string, error) {
	old := tempName()
	err := unix.Renameat(up, base, v.stage, old)
	if errors.Is(err, unix.EACCES) {
		// Moving a directory writes its "..", so a read-only one cannot be moved.
		if st, serr := statAt(up, base); serr == nil && st.isDir() && chmodAt(up, base, unixMode(st.mode)|0o700) == nil {
			err = unix.Renameat(up, base, v.stage, old)
		}
	}
	return old, err
}

// copyUp copies the file or link at a place to the upper layer. Without content, an empty file takes the lower one's place.
func (v *OverlayVfs) copyUp(pl *place, content bool) error {
	tmp := tempName()
	hash, err := v.stageCopy(pl.dir.low, pl.base, tmp, content, v.readable)
	if err == nil {
		err = v.cover(pl.path, hash)
	}
	var up int
	if err == nil {
		up, err = v.ensureUp(path.Dir(pl.path))
	}
	if err != nil {
		unix.Unlinkat(v.stage, tmp, 0)
		return err
	}
	defer unix.Close(up)
	return v.insert(tmp, up, pl.base)
}

// stageCopy copies one file or link to the staging directory and returns the content's hash if it read all of it. may is asked
// about a file before it is read; nil is yes.
func (v *OverlayVfs) stageCopy(dir int, base, tmp string, content bool, may func(*stat) error) (string, error) {
	st, err := statAt(dir, base)
	if err != nil {
		return "", err
	}
	if st.isLink() {
		target, err := readlinkAt(dir, base)
		if err == nil {
			err = unix.Symlinkat(target, v.stage, tmp)
		}
		return "", err
	}
	src, st, err := openFileAt(dir, base, unix.O_RDONLY)
	if err != nil {
		return "", err
	}
	defer src.Close()
	if content {
		if may != nil {
			if err := may(st); err != nil {
				return "", err
			}
		}
		if err := v.reserve(st.size); err != nil {
			return "", err
		}
	}
	dst, err := createAt(v.stage, tmp, 0o600)
	if err != nil {
		return "", err
	}
	defer dst.Close()
	copyAttrs(int(src.Fd()), int(dst.Fd()))
	hash := ""
	if content {
		h := sha256.New()
		// The file may grow while it is read; the quota was asked for st.size.
		if _, err := io.Copy(io.MultiWriter(dst, h), io.LimitReader(src, st.size)); err != nil {
			return "", err
		}
		hash = hex.EncodeToString(h.Sum(nil))
	}
	return hash, dress(v.stage, tmp, dst, st, content)
}

// dress gives a staged file the owner, permission bits and, if asked, the time of another. Set-id bits do not survive a
// change of content.
func dress(dir int, name string, f *os.File, st *stat, keepTime bool) error {
	keepOwnerFd(int(f.Fd()), st)
	err := unix.Fchmod(int(f.Fd()), uint32(st.mode.Perm()))
	if err == nil && keepTime {
		err = setTime(dir, name, st.mtime)
	}
	return err
}

// setTime sets the modification time in Unix nanoseconds, and the access time with it.
func setTime(dir int, name string, mtime int64) error {
	ts := unix.NsecToTimespec(mtime)
	return unix.UtimesNanoAt(dir, name, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW)
}
