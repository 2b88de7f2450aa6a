// Package fs reads and writes files through the host.
//
// Paths: "cwd://a/b" and plain "a/b" lie in the workspace (as the session sees it, with
// its uncommitted changes), "home://a/b" in the principal's home, "/tmp/a" in its scratch
// directory. Any other leading slash means the workspace root. A file is read and
// written as a whole, at most [abi.MaxValue] bytes.
//
// Errors are *fs.PathError values. errors.Is knows both the standard library's names
// (fs.ErrNotExist, fs.ErrPermission, …) and the contract's (abi.ErrNotFound, abi.ErrDenied, …).
package fs

import (
	"encoding/json"
	"io/fs"
	"path"
	"slices"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/internal/link"
	"github.com/unicity-astrid/astrid-go/sdk/internal/wire"
)

// ReadFile returns the content of a file.
func ReadFile(name string) ([]byte, error) {
	b, err := link.Call(abi.ReadFile, name)
	return b, pathError("read", name, err)
}

// WriteFile creates or replaces a file. Outside the workspace its directory must exist.
func WriteFile(name string, data []byte) error {
	_, err := link.Call(abi.WriteFile, name, link.Text(data))
	return pathError("write", name, err)
}

// Exists tells whether there is something at name. A refusal is an error, not a no.
func Exists(name string) (bool, error) {
	b, err := link.Call(abi.FsExists, name)
	return len(b) > 0 && b[0] != 0, pathError("stat", name, err)
}

// Stat describes a file or directory. The mode knows only whether it is a directory.
func Stat(name string) (fs.FileInfo, error) {
	b, err := link.Call(abi.FsStat, name)
	if err != nil {
		return nil, pathError("stat", name, err)
	}
	var st abi.FileStat
	if err := json.Unmarshal(b, &st); err != nil {
		return nil, pathError("stat", name, err)
	}
	return info{path.Base(name), st}, nil
}

// ReadNames returns the names in a directory, sorted.
func ReadNames(name string) ([]string, error) {
	var names []string
	if err := wire.Get(abi.FsReaddir, &names, name); err != nil {
		return nil, pathError("readdir", name, err)
	}
	slices.Sort(names)
	return names, nil
}

// ReadDir returns the entries of a directory, sorted by name. The host is asked about
// the type of an entry when it is first wanted, one call each; use [ReadNames] when
// names are enough.
func ReadDir(name string) ([]fs.DirEntry, error) {
	names, err := ReadNames(name)
	if err != nil {
		return nil, err
	}
	entries := make([]fs.DirEntry, len(names))
	for i, n := range names {
		entries[i] = &entry{dir: name, name: n}
	}
	return entries, nil
}

// MkdirAll makes a directory and its parents; it is fine if it exists.
func MkdirAll(name string) error {
	_, err := link.Call(abi.FsMkdir, name)
	return pathError("mkdir", name, err)
}

// Remove removes a file or an empty directory.
func Remove(name string) error {
	_, err := link.Call(abi.FsUnlink, name)
	return pathError("remove", name, err)
}

// info is a FileInfo made of the host's answer.
type info struct {
	name string
	abi.FileStat
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return int64(i.FileStat.Size) }
func (i info) IsDir() bool        { return i.FileStat.IsDir }
func (i info) ModTime() time.Time { return time.Unix(int64(i.Mtime), 0).UTC() }
func (i info) Sys() any           { return nil }
func (i info) Mode() fs.FileMode {
	if i.IsDir() {
		return fs.ModeDir | 0o755
	}
	return 0o644
}

// entry is a DirEntry that asks the host when it must.
type entry struct {
	dir, name string
	info      fs.FileInfo
}

func (e *entry) Name() string { return e.name }

func (e *entry) Info() (fs.FileInfo, error) {
	if e.info == nil {
		fi, err := Stat(Join(e.dir, e.name))
		if err != nil {
			return nil, err
		}
		e.info = fi
	}
	return e.info, nil
}

func (e *entry) IsDir() bool { return e.Type().IsDir() }

// Type of an entry that has vanished is that of a plain file: reading it tells.
func (e *entry) Type() fs.FileMode {
	fi, err := e.Info()
	if err != nil {
		return 0
	}
	return fi.Mode().Type()
}
