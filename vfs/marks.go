package vfs

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// Format is how deletions and opaque directories are written in the upper directory.
type Format string

const (
	// FormatOverlayfs: whiteouts are 0/0 devices, opaque directories have user.overlay.opaque=y. A kernel mount with
	// userxattr shows the same tree.
	FormatOverlayfs Format = "overlayfs"
	// FormatXattr: whiteouts are empty files with user.overlay.whiteout=y in directories marked user.overlay.opaque=x. A
	// kernel mount hides their content, but may still list their names.
	FormatXattr Format = "xattr"
	// FormatFiles: whiteouts are files, and opaque directories have a file, that hold the overlay's secret token. A kernel mount
	// does not understand it. In this format the name .astrid-opaque is reserved.
	FormatFiles Format = "files"
)

const (
	attrOpaque   = "user.overlay.opaque"
	attrWhiteout = "user.overlay.whiteout"
	opaqueName   = ".astrid-opaque" // FormatFiles only
)

// marks reads and writes whiteouts and opaque directories in one format.
type marks struct {
	format Format
	token  []byte // FormatFiles: what a mark file holds; a guest cannot read it, so cannot forge one
}

// Format tells how the upper directory is written. It is chosen when the overlay is created and kept.
func (v *OverlayVfs) Format() Format { return v.format }

// probeFormat finds the best format that the staging directory's filesystem supports.
func probeFormat(stage int) Format {
	name := tempName()
	defer unix.Unlinkat(stage, name, 0)
	xattr := func() bool {
		f, err := createAt(stage, name, 0o600)
		if err != nil {
			return false
		}
		defer f.Close()
		return unix.Fsetxattr(int(f.Fd()), attrWhiteout, []byte("y"), 0) == nil
	}()
	unix.Unlinkat(stage, name, 0)
	switch {
	case xattr && mknodWhiteout(stage, name) == nil:
		return FormatOverlayfs
	case xattr:
		return FormatXattr
	}
	return FormatFiles
}

func newToken() []byte { return []byte("astrid-mark " + rand.Text() + rand.Text() + "\n") }

// createAt makes a new regular file.
func createAt(dir int, name string, perm uint32) (*os.File, error) {
	fd, err := openAt(dir, name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL, perm)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// isWhiteout reports whether an upper entry stands for a deletion.
func (m *marks) isWhiteout(dir int, name string, st *stat) bool {
	if st.devZero() { // in every format: a kernel mount may have made it
		return true
	}
	if !st.isFile() {
		return false
	}
	switch m.format {
	case FormatXattr:
		return st.size == 0 && m.hasAttr(dir, name)
	case FormatFiles:
		return st.size == int64(len(m.token)) && m.holdsToken(dir, name)
	}
	return false
}

func (m *marks) hasAttr(dir int, name string) bool {
	f, _, err := openFileAt(dir, name, unix.O_RDONLY)
	if err != nil {
		return false
	}
	defer f.Close()
	var buf [1]byte
	n, err := unix.Fgetxattr(int(f.Fd()), attrWhiteout, buf[:])
	return err == nil && n == 1 && buf[0] == 'y'
}

func (m *marks) holdsToken(dir int, name string) bool {
	f, _, err := openFileAt(dir, name, unix.O_RDONLY)
	if err != nil {
		return false
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, int64(len(m.token))+1))
	return err == nil && slices.Equal(data, m.token)
}

// isOpaque reports whether an open upper directory hides the lower one.
func (m *marks) isOpaque(dir int) bool {
	if m.format == FormatFiles {
		st, err := statAt(dir, opaqueName)
		return err == nil && m.isWhiteout(dir, opaqueName, st)
	}
	var buf [8]byte
	n, err := unix.Fgetxattr(dir, attrOpaque, buf[:])
	return err == nil && n == 1 && buf[0] == 'y'
}

// isMark reports an upper entry that belongs to the format and is no entry of the tree at all.
func (m *marks) isMark(name string) bool { return m.format == FormatFiles && name == opaqueName }

// makeWhiteout creates a whiteout in the staging directory.
func (m *marks) makeWhiteout(stage int, name string) error {
	switch m.format {
	case FormatOverlayfs:
		return mknodWhiteout(stage, name)
	case FormatXattr:
		f, err := createAt(stage, name, 0o600)
		if err != nil {
			return err
		}
		defer f.Close()
		return unix.Fsetxattr(int(f.Fd()), attrWhiteout, []byte("y"), 0)
	}
	return m.writeToken(stage, name)
}

func (m *marks) writeToken(dir int, name string) error {
	f, err := createAt(dir, name, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(m.token)
	return errors.Join(err, f.Close())
}

// noteWhiteout tells an upper directory that it is about to hold a whiteout.
func (m *marks) noteWhiteout(dir int) error {
	if m.format != FormatXattr || m.isOpaque(dir) {
		return nil
	}
	return unix.Fsetxattr(dir, attrOpaque, []byte("x"), 0)
}

// setOpaque makes an open upper directory hide the lower one, or show it again.
func (m *marks) setOpaque(dir int, on bool) error {
	if m.format == FormatFiles {
		if !on {
			return ignoreMissing(unix.Unlinkat(dir, opaqueName, 0))
		}
		if m.isOpaque(dir) {
			return nil
		}
		return m.writeToken(dir, opaqueName)
	}
	value := []byte("y")
	if !on {
		if m.format == FormatOverlayfs {
			return ignoreNoAttr(unix.Fremovexattr(dir, attrOpaque))
		}
		value = []byte("x") // it may hold whiteouts
	}
	if err := unix.Fsetxattr(dir, attrOpaque, value, 0); err != nil {
		return fmt.Errorf("mark directory opaque: %w", err)
	}
	return nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}
