package store

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"syscall"

	"github.com/unicity-astrid/astrid-go/capsule"
)

// unpack writes a .capsule archive, a gzip-compressed tar, below root. Every entry is checked before
// anything of it is written; root confines what the checks might miss.
func unpack(r io.Reader, root *os.Root) error {
	// Headers and padding count too: an endless chain of them unpacks to no file at all.
	return unpackAtMost(r, root, MaxTotalSize+MaxEntries*2048)
}

func unpackAtMost(r io.Reader, root *os.Root, limit int64) error {
	compressed := &bounded{r: bufio.NewReaderSize(r, 64<<10), left: MaxArchiveSize, what: "the archive"}
	gz, err := gzip.NewReader(compressed)
	if err != nil {
		return fmt.Errorf("%w: not a gzip-compressed archive: %w", ErrBadPackage, err)
	}
	gz.Multistream(false)
	unpacked := &bounded{r: gz, left: limit, what: "the unpacked archive"}
	tr := tar.NewReader(unpacked)
	n := newNames()
	for {
		h, err := tr.Next()
		if err == io.EOF {
			return drain(compressed, unpacked)
		}
		if err != nil {
			return damaged(err)
		}
		if err := unpackEntry(root, n, h, tr); err != nil {
			return err
		}
	}
}

func unpackEntry(root *os.Root, n *names, h *tar.Header, body io.Reader) error {
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeDir:
	case tar.TypeSymlink, tar.TypeLink:
		return fmt.Errorf("%w: links are not allowed (%q)", ErrMalicious, h.Name)
	default:
		return fmt.Errorf("%w: only files and directories are allowed (%q has type %q)", ErrMalicious, h.Name, h.Typeflag)
	}
	dir := h.Typeflag == tar.TypeDir
	name, err := n.admit(h.Name, dir)
	if err != nil || name == "" {
		return err
	}
	if reserved(name) {
		return fmt.Errorf("%w: %q may not be part of a package", ErrMalicious, name)
	}
	if dir {
		return root.MkdirAll(name, 0o700)
	}
	if err := n.charge(name, h.Size); err != nil {
		return err
	}
	if err := writeFile(root, name, body, h.Size, h.Mode&0o100 != 0); err != nil {
		return damaged(err)
	}
	return nil
}

// reserved names files that the store itself writes or reads beside the package.
func reserved(name string) bool {
	return name == capsule.MetaName || name == ".env.json"
}

// writeFile creates a new file of exactly size bytes. Only the owner's execute bit is taken over.
func writeFile(root *os.Root, name string, body io.Reader, size int64, executable bool) error {
	if dir := path.Dir(name); dir != "." {
		if err := root.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	mode := os.FileMode(0o600)
	if executable {
		mode = 0o700
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	// One byte more than announced shows a source that grew while it was read.
	written, err := io.Copy(f, io.LimitReader(body, size+1))
	if err == nil && written != size {
		err = fmt.Errorf("%w: %q has %d bytes, %d were announced", ErrBadPackage, name, written, size)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// drain reads the padding, so that the checksum of the compressed stream is verified, and refuses whatever
// follows it.
func drain(compressed, unpacked io.Reader) error {
	if _, err := io.Copy(io.Discard, unpacked); err != nil {
		return damaged(err)
	}
	var one [1]byte
	if k, err := compressed.Read(one[:]); k > 0 || err != io.EOF {
		return fmt.Errorf("%w: data follows the end of the archive", ErrBadPackage)
	}
	return nil
}

// notTheArchive are failures of the machine that unpacks.
var notTheArchive = []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EIO, syscall.EROFS, syscall.EMFILE, syscall.ENFILE}

// damaged marks errors of the archive formats; our own and the machine's keep their kind.
func damaged(err error) error {
	is := func(target error) bool { return errors.Is(err, target) }
	if is(ErrTooLarge) || is(ErrMalicious) || is(ErrBadPackage) || slices.ContainsFunc(notTheArchive, is) {
		return err
	}
	return fmt.Errorf("%w: damaged archive: %w", ErrBadPackage, err)
}

// bounded fails once more than left bytes were read.
type bounded struct {
	r    io.Reader
	left int64
	what string
}

// ReadByte keeps gzip from buffering past the end of its stream, so that what follows can be seen. Only the
// compressed side, whose source is buffered, is read in this way.
func (b *bounded) ReadByte() (byte, error) {
	c, err := b.r.(io.ByteReader).ReadByte()
	if err != nil {
		return 0, err
	}
	if b.left--; b.left < 0 {
		return 0, b.exceeded()
	}
	return c, nil
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, b.exceeded()
	}
	return n, err
}

func (b *bounded) exceeded() error {
	return fmt.Errorf("%w: %s exceeds its limit", ErrTooLarge, b.what)
}
