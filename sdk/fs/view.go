package fs

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"strings"
)

// FS views the directory root as an fs.FS, for fs.WalkDir, fs.Glob and the like. Names
// are slash-separated and relative, as io/fs demands.
func FS(root string) fs.FS { return view(root) }

type view string

var (
	_ fs.ReadFileFS = view("")
	_ fs.ReadDirFS  = view("")
	_ fs.StatFS     = view("")
)

func (v view) path(op, name string) (string, error) {
	if !fs.ValidPath(name) {
		return "", &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	if name == "." {
		return string(v), nil
	}
	return Join(string(v), name), nil
}

// ReadFile implements fs.ReadFileFS.
func (v view) ReadFile(name string) ([]byte, error) {
	p, err := v.path("read", name)
	if err != nil {
		return nil, err
	}
	b, err := ReadFile(p)
	return b, rename(err, name)
}

// ReadDir implements fs.ReadDirFS.
func (v view) ReadDir(name string) ([]fs.DirEntry, error) {
	p, err := v.path("readdir", name)
	if err != nil {
		return nil, err
	}
	entries, err := ReadDir(p)
	return entries, rename(err, name)
}

// Stat implements fs.StatFS.
func (v view) Stat(name string) (fs.FileInfo, error) {
	p, err := v.path("stat", name)
	if err != nil {
		return nil, err
	}
	fi, err := Stat(p)
	if err != nil {
		return nil, rename(err, name)
	}
	i := fi.(info)
	i.name = name[strings.LastIndexByte(name, '/')+1:]
	return i, nil
}

// Open implements fs.FS. The file is read when it is first asked for its content.
func (v view) Open(name string) (fs.File, error) {
	fi, err := v.Stat(name)
	if err != nil {
		return nil, err
	}
	return &file{view: v, name: name, info: fi}, nil
}

// rename puts the name within the view into err.
func rename(err error, name string) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return &fs.PathError{Op: pe.Op, Path: name, Err: pe.Err}
	}
	return err
}

// file is an open file or directory of a view.
type file struct {
	view    view
	name    string
	info    fs.FileInfo
	content *bytes.Reader
	entries []fs.DirEntry
	listed  bool
	closed  bool
}

var _ fs.ReadDirFile = (*file)(nil)

func (f *file) fail(op string, err error) error { return &fs.PathError{Op: op, Path: f.name, Err: err} }

// Stat implements fs.File.
func (f *file) Stat() (fs.FileInfo, error) {
	if f.closed {
		return nil, f.fail("stat", fs.ErrClosed)
	}
	return f.info, nil
}

// Read implements fs.File.
func (f *file) Read(p []byte) (int, error) {
	switch {
	case f.closed:
		return 0, f.fail("read", fs.ErrClosed)
	case f.info.IsDir():
		return 0, f.fail("read", errors.New("is a directory"))
	case f.content == nil:
		b, err := f.view.ReadFile(f.name)
		if err != nil {
			return 0, err
		}
		f.content = bytes.NewReader(b)
	}
	return f.content.Read(p)
}

// ReadDir implements fs.ReadDirFile.
func (f *file) ReadDir(n int) ([]fs.DirEntry, error) {
	if f.closed {
		return nil, f.fail("readdir", fs.ErrClosed)
	}
	if !f.info.IsDir() {
		return nil, f.fail("readdir", errors.New("not a directory"))
	}
	if !f.listed {
		entries, err := f.view.ReadDir(f.name)
		if err != nil {
			return nil, err
		}
		f.entries, f.listed = entries, true
	}
	if n > 0 && len(f.entries) == 0 {
		return nil, io.EOF
	}
	if n <= 0 || n > len(f.entries) {
		n = len(f.entries)
	}
	out := f.entries[:n]
	f.entries = f.entries[n:]
	return out, nil
}

// Close implements fs.File.
func (f *file) Close() error {
	if f.closed {
		return f.fail("close", fs.ErrClosed)
	}
	f.closed = true
	return nil
}
