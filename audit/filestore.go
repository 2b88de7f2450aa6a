package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
)

// DefaultSubdir is where a principal's home holds its chain.
const DefaultSubdir = ".local/audit"

// FileStoreOptions of [NewFileStore]. The zero value is the layout of ~/.astrid/home.
type FileStoreOptions struct {
	// Subdir is the slash-separated directory below a principal's; "" means DefaultSubdir.
	Subdir string
}

// FileStore keeps chains in files: <root>/<principal>/<subdir>/<segment>. Directories are
// made with mode 0700, files with 0600. Nothing on the way may be a symbolic link.
type FileStore struct {
	root *os.Root
	sub  string
}

// NewFileStore opens the directory that holds the principals' homes.
func NewFileStore(root string, o FileStoreOptions) (*FileStore, error) {
	r, err := os.OpenRoot(root)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	if o.Subdir == "" {
		o.Subdir = DefaultSubdir
	}
	return &FileStore{root: r, sub: path.Clean(o.Subdir)}, nil
}

// Close releases the root directory. Open segments stay usable.
func (s *FileStore) Close() error { return s.root.Close() }

// dir returns the directory of a principal's chain; fs.ErrNotExist if there is none.
func (s *FileStore) dir(principal string) (string, error) {
	if !ValidPrincipal(principal) {
		return "", fmt.Errorf("%w: principal %q", ErrInvalid, principal)
	}
	full := path.Join(principal, s.sub)
	// os.Root keeps us inside the root; a link inside it could still make one principal's
	// chain another's.
	for i := range full {
		if full[i] == '/' {
			if err := s.wantDir(full[:i]); err != nil {
				return "", err
			}
		}
	}
	return full, s.wantDir(full)
}

func (s *FileStore) wantDir(name string) error {
	fi, err := s.root.Lstat(name)
	if err == nil && !fi.IsDir() {
		err = fmt.Errorf("%s is not a directory", name)
	}
	return err
}

// makeDir is dir, and makes what is missing, durably.
func (s *FileStore) makeDir(principal string) (string, error) {
	d, err := s.dir(principal)
	if !errors.Is(err, fs.ErrNotExist) {
		return d, err
	}
	full := path.Join(principal, s.sub)
	if err := s.root.MkdirAll(full, 0o700); err != nil {
		return "", err
	}
	for up := full; ; up = path.Dir(up) {
		if err := s.syncDir(path.Dir(up)); err != nil {
			return "", err
		}
		if path.Dir(up) == "." {
			break
		}
	}
	return s.dir(principal)
}

func (s *FileStore) syncDir(name string) error {
	d, err := s.root.Open(name)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Principals implements [Store].
func (s *FileStore) Principals(context.Context) ([]string, error) {
	homes, err := fs.ReadDir(s.root.FS(), ".")
	if err != nil {
		return nil, err
	}
	var out []string
	for _, h := range homes {
		if !h.IsDir() || !ValidPrincipal(h.Name()) {
			continue
		}
		// One that cannot be read is listed: the error then comes with its name.
		if _, err := s.dir(h.Name()); !errors.Is(err, fs.ErrNotExist) {
			out = append(out, h.Name())
		}
	}
	slices.Sort(out)
	return out, nil
}

// Segments implements [Store].
func (s *FileStore) Segments(_ context.Context, principal string) ([]string, error) {
	d, err := s.dir(principal)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	files, err := fs.ReadDir(s.root.FS(), d)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, f := range files {
		if _, ok := segmentFirst(f.Name()); ok {
			out = append(out, f.Name())
		}
	}
	slices.Sort(out)
	return out, nil
}

// Open implements [Store].
func (s *FileStore) Open(_ context.Context, principal, segment string) (Source, error) {
	d, err := s.dir(principal)
	if err != nil {
		return nil, err
	}
	f, err := s.open(path.Join(d, segment), os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// open opens a regular file.
func (s *FileStore) open(name string, flag int) (*fileSegment, error) {
	if fi, err := s.root.Lstat(name); err == nil && !fi.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	f, err := s.root.OpenFile(name, flag, 0o600)
	if err != nil {
		return nil, err
	}
	fi, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &fileSegment{File: f, size: fi.Size()}, nil
}

// Append implements [Store].
func (s *FileStore) Append(_ context.Context, principal, segment string) (Segment, error) {
	d, err := s.makeDir(principal)
	if err != nil {
		return nil, err
	}
	f, err := s.open(path.Join(d, segment), os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	if _, err := f.File.Seek(0, io.SeekEnd); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := s.syncDir(d); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Lock implements [Store].
func (s *FileStore) Lock(_ context.Context, principal string) (func() error, error) {
	d, err := s.makeDir(principal)
	if err != nil {
		return nil, err
	}
	f, err := s.open(path.Join(d, "lock"), os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	if err := lockFile(f.File); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %s (is another astrid-daemon running?)", err, principal), f.Close())
	}
	return f.Close, nil
}

// Retire implements [Store]: the segments move to a directory of the label's name.
func (s *FileStore) Retire(ctx context.Context, principal, label string) error {
	d, err := s.dir(principal)
	if err != nil {
		return err
	}
	names, err := s.Segments(ctx, principal)
	if err != nil {
		return err
	}
	aside := path.Join(d, label)
	if err := s.root.Mkdir(aside, 0o700); err != nil {
		return err
	}
	for _, n := range names {
		if err := s.root.Rename(path.Join(d, n), path.Join(aside, n)); err != nil {
			return err
		}
	}
	return errors.Join(s.syncDir(aside), s.syncDir(d))
}

// fileSegment is both [Source] and [Segment].
type fileSegment struct {
	*os.File
	size int64
}

func (f *fileSegment) Size() int64 { return f.size }

func (f *fileSegment) Write(b []byte) (int, error) {
	n, err := f.File.Write(b)
	f.size += int64(n)
	return n, err
}

func (f *fileSegment) Truncate(size int64) error {
	if err := f.File.Truncate(size); err != nil {
		return err
	}
	f.size = size
	_, err := f.File.Seek(size, io.SeekStart)
	return err
}

var _ Store = (*FileStore)(nil)
