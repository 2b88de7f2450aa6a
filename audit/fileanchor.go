package audit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxHead bounds what is read of an anchor file, in bytes.
const maxHead = 4 << 10

// FileAnchor keeps each head in a file of its own, <dir>/<principal>.head, replaced by
// atomic rename. The directory must be another one than the log's, best one that nothing
// a guest can reach shares. Each Save costs about two fsyncs; [SlotAnchor] is cheaper.
type FileAnchor struct{ dir string }

// NewFileAnchor makes the directory if needed, with mode 0700.
func NewFileAnchor(dir string) (*FileAnchor, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("audit: anchor directory: %w", err)
	}
	return &FileAnchor{dir: dir}, nil
}

func (a *FileAnchor) path(principal string) (string, error) {
	if !ValidPrincipal(principal) {
		return "", fmt.Errorf("%w: principal %q", ErrInvalid, principal)
	}
	return filepath.Join(a.dir, principal+".head"), nil
}

// Load implements [Anchor].
func (a *FileAnchor) Load(_ context.Context, principal string) ([]byte, error) {
	name, err := a.path(principal)
	if err != nil {
		return nil, err
	}
	b, err := readSmall(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNoAnchor, principal)
	}
	return b, err
}

// Save implements [Anchor].
func (a *FileAnchor) Save(_ context.Context, principal string, head []byte) error {
	name, err := a.path(principal)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(a.dir, "."+principal+".*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(head)
	// The bytes before the name: a rename that outlives its data would be half a head. The
	// directory is not synced: an old head after a power failure is caught up.
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// Principals implements [AnchorLister].
func (a *FileAnchor) Principals(context.Context) ([]string, error) { return anchored(a.dir, ".head") }

// anchored lists the principals with a file of the given extension, ascending.
func anchored(dir, ext string) ([]string, error) {
	files, err := os.ReadDir(dir) // sorted
	if err != nil {
		return nil, err
	}
	var out []string
	for _, f := range files {
		if p, ok := strings.CutSuffix(f.Name(), ext); ok && ValidPrincipal(p) {
			out = append(out, p)
		}
	}
	return out, nil
}

// readSmall reads a regular file of at most maxHead bytes.
func readSmall(name string) ([]byte, error) {
	fi, err := os.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() || fi.Size() > maxHead {
		return nil, fmt.Errorf("%w: anchor %s is not a file of at most %d bytes", ErrBroken, name, maxHead)
	}
	return os.ReadFile(name)
}

var (
	_ Anchor       = (*FileAnchor)(nil)
	_ AnchorLister = (*FileAnchor)(nil)
)
