package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Restore puts a checkpoint's changes in the place of the current ones, all or nothing against crashes: the next NewOverlay
// finishes it. before, if not nil, is called first, when nothing has happened yet; its error stops the restore. It is
// ErrMounted while programs run in the tree. What a file that is open for writing gets from now on is lost.
func (v *OverlayVfs) Restore(id int, before func(Checkpoint) error) error {
	return v.layers("restore", func() error {
		c, err := v.checkpoint(id)
		if err == nil && before != nil {
			err = before(c)
		}
		if err == nil {
			err = writeAtomic(v.restorePath(), []byte(strconv.Itoa(id)), true)
		}
		if err != nil {
			return err
		}
		return v.finishRestore(id)
	})
}

// restorePath is the file that names the checkpoint of a restore that has begun.
func (v *OverlayVfs) restorePath() string { return filepath.Join(v.stateDir, "restore") }

// resumeRestore finishes what a crash interrupted.
func (v *OverlayVfs) resumeRestore() error {
	data, err := os.ReadFile(v.restorePath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	id, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return fmt.Errorf("%s: %w", v.restorePath(), err)
	}
	return v.finishRestore(id)
}

// finishRestore may be repeated until it is through.
func (v *OverlayVfs) finishRestore(id int) error {
	names, err := namesAt(v.up)
	for _, n := range names {
		if err == nil {
			err = removeTree(v.up, n)
		}
	}
	if err != nil {
		return err
	}
	from, err := openDirAt(unix.AT_FDCWD, filepath.Join(v.checkpointDir(id), checkpointTree))
	if err != nil {
		return fmt.Errorf("checkpoint %d: %w", id, err)
	}
	defer unix.Close(from)
	if err := v.copyLayer(from, v.upperDir); err != nil {
		return err
	}
	base, err := os.ReadFile(filepath.Join(v.checkpointDir(id), checkpointBase))
	if err != nil {
		return fmt.Errorf("checkpoint %d: %w", id, err)
	}
	v.base.recs = parseBase(base)
	if err := v.base.rewrite(); err != nil {
		return err
	}
	used, err := v.countBytes()
	if err != nil {
		return err
	}
	v.quota.Lock()
	v.used = used
	v.quota.Unlock()
	return os.Remove(v.restorePath())
}

// copyLayer copies the entries of a layer, and what the layer says about the directory itself, into an empty directory.
func (v *OverlayVfs) copyLayer(from int, to string) error {
	fd, err := openDirAt(unix.AT_FDCWD, to)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	st, err := statFd(from)
	if err != nil {
		return err
	}
	return v.copyEntries(from, fd, st)
}

// copyEntries fills the directory to and then gives it what st says of the one it is a copy of.
func (v *OverlayVfs) copyEntries(from, to int, st *stat) error {
	names, err := namesAt(from)
	if err != nil {
		return err
	}
	for _, n := range names {
		if v.isMark(n) {
			continue
		}
		if err := v.copyLayerEntry(from, to, n); err != nil {
			return fmt.Errorf("%s: %w", n, err)
		}
	}
	if v.isOpaque(from) {
		if err := v.setOpaque(to, true); err != nil {
			return err
		}
	}
	copyAttrs(from, to)
	keepOwnerFd(to, st)
	if err := unix.Fchmod(to, unixMode(st.mode)); err != nil {
		return err
	}
	return setTime(to, ".", st.mtime)
}

func (v *OverlayVfs) copyLayerEntry(from, to int, name string) error {
	st, err := statAt(from, name)
	if err != nil {
		return err
	}
	switch {
	case v.isWhiteout(from, name, st):
		if err := v.makeWhiteout(to, name); err != nil {
			return err
		}
		return v.noteWhiteout(to)
	case st.isLink():
		target, err := readlinkAt(from, name)
		if err == nil {
			err = unix.Symlinkat(target, to, name)
		}
		if err == nil {
			err = setTime(to, name, st.mtime)
		}
		return err
	case st.isDir():
		return v.copyLayerDir(from, to, name, st)
	case st.isFile():
		return copyLayerFile(from, to, name)
	}
	return nil // a device, FIFO or socket
}

func (v *OverlayVfs) copyLayerDir(from, to int, name string, st *stat) error {
	src, shut, err := openOwnDir(from, name, st)
	if err != nil {
		return err
	}
	defer shut()
	if err := unix.Mkdirat(to, name, 0o700); err != nil {
		return err
	}
	dst, err := openDirAt(to, name)
	if err != nil {
		return err
	}
	defer unix.Close(dst)
	return v.copyEntries(src, dst, st)
}

// openOwnFile opens a file of the layer for reading, also one whose mode forbids it.
func openOwnFile(dir int, name string) (*os.File, *stat, error) {
	f, st, err := openFileAt(dir, name, unix.O_RDONLY)
	if !errors.Is(err, unix.EACCES) {
		return f, st, err
	}
	closed, err := statAt(dir, name)
	if err != nil {
		return nil, nil, err
	}
	if err := chmodAt(dir, name, unixMode(closed.mode)|0o400); err != nil {
		return nil, nil, err
	}
	f, _, err = openFileAt(dir, name, unix.O_RDONLY)
	return f, closed, errors.Join(err, chmodAt(dir, name, unixMode(closed.mode)))
}

func copyLayerFile(from, to int, name string) error {
	src, st, err := openOwnFile(from, name)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := createAt(to, name, 0o600)
	if err != nil {
		return err
	}
	copyAttrs(int(src.Fd()), int(dst.Fd()))
	_, err = dst.ReadFrom(src)
	keepOwnerFd(int(dst.Fd()), st)
	if err == nil {
		err = unix.Fchmod(int(dst.Fd()), unixMode(st.mode))
	}
	if err = errors.Join(err, dst.Close()); err != nil {
		return err
	}
	return setTime(to, name, st.mtime)
}
