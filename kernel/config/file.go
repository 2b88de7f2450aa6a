package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// SystemFile is the machine's configuration.
	SystemFile = "/etc/astrid/config.toml"
	// maxFileBytes and maxProjectBytes bound a file before it is parsed.
	maxFileBytes    = 1 << 20
	maxProjectBytes = 64 << 10
)

// File is a configuration file that was looked for.
type File struct {
	Layer Layer  `json:"layer"`
	Path  string `json:"path"`
	Found bool   `json:"found"`
}

// readFile returns the file's contents, or nil if there is none. It never waits (a fifo would make it) and reads only
// regular files. A file of the machine or the user that someone else can write is refused: its rules would be theirs.
// A project's file is nobody's in particular, but must not be a symlink to somewhere else.
func readFile(layer Layer, path string) ([]byte, error) {
	fail := func(msg string, err error) ([]byte, error) {
		return nil, &Error{Origin: Origin{Layer: layer, Name: path}, Msg: msg, Err: err}
	}
	mode := os.O_RDONLY | unix.O_NONBLOCK
	if layer == Workspaces {
		mode |= unix.O_NOFOLLOW
	}
	f, err := os.OpenFile(path, mode, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return nil, nil
	case errors.Is(err, syscall.ELOOP):
		return fail("is a symlink, which a project's configuration must not be", err)
	case err != nil:
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return fail(fmt.Sprintf("cannot be read: %v", err), err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fail(fmt.Sprintf("cannot be read: %v", err), err)
	}
	if !info.Mode().IsRegular() {
		return fail("is not a regular file", fs.ErrInvalid)
	}
	if layer != Workspaces {
		st, ok := info.Sys().(*syscall.Stat_t)
		if ok && st.Uid != 0 && int(st.Uid) != os.Geteuid() {
			return fail(fmt.Sprintf("belongs to user %d; it must be yours or root's", st.Uid), fs.ErrPermission)
		}
		if info.Mode().Perm()&0o002 != 0 {
			return fail("can be written by every user; chmod o-w it", fs.ErrPermission)
		}
	}
	limit := int64(maxFileBytes)
	if layer == Workspaces {
		limit = maxProjectBytes
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return fail(fmt.Sprintf("cannot be read: %v", err), err)
	}
	if int64(len(data)) > limit {
		return fail(fmt.Sprintf("config file is %d bytes, exceeding the %d byte limit", max(info.Size(), limit+1), limit), nil)
	}
	if data == nil {
		data = []byte{}
	}
	return data, nil
}
