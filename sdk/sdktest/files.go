package sdktest

import (
	"encoding/json"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
)

// file is a file or directory, kept under its [place].
type file struct {
	dir     bool
	content []byte
	mtime   time.Time
}

// place names a path the way the host sees it: "cwd:a/b", "home:a", "tmp:a"; the root of
// a scheme is "cwd:.".
func place(name string) (string, error) {
	scheme, rest := "cwd", name
	switch {
	case strings.HasPrefix(name, "cwd://"):
		rest = name[len("cwd://"):]
	case strings.HasPrefix(name, "home://"):
		scheme, rest = "home", name[len("home://"):]
	case name == "/tmp" || strings.HasPrefix(name, "/tmp/"):
		scheme, rest = "tmp", name[len("/tmp"):]
	}
	clean := path.Clean("./" + rest)
	if clean == ".." || strings.HasPrefix(clean, "../") {
		return "", abi.Errorf(abi.CodeDenied, "path escapes root boundary: %s", rest)
	}
	return scheme + ":" + clean, nil
}

func isRoot(at string) bool { return strings.HasSuffix(at, ":.") }

// parent of a place that is not a root.
func parent(at string) string {
	scheme, rel, _ := strings.Cut(at, ":")
	return scheme + ":" + path.Dir(rel)
}

// WriteFile puts a file into the fake, with its directories.
func (h *Host) WriteFile(name, content string) {
	h.t.Helper()
	at, err := place(name)
	if err == nil {
		h.mu.Lock()
		defer h.mu.Unlock()
		err = h.mkdirAll(parent(at))
	}
	if err != nil {
		h.t.Fatalf("%s: %v", name, err)
	}
	h.files[at] = &file{content: []byte(content), mtime: h.Now}
}

// Mkdir puts an empty directory into the fake, with its parents.
func (h *Host) Mkdir(name string) {
	h.t.Helper()
	at, err := place(name)
	if err == nil {
		h.mu.Lock()
		defer h.mu.Unlock()
		err = h.mkdirAll(at)
	}
	if err != nil {
		h.t.Fatalf("%s: %v", name, err)
	}
}

// ReadFile returns the content of a file and whether there is one.
func (h *Host) ReadFile(name string) (string, bool) {
	h.t.Helper()
	at, err := place(name)
	if err != nil {
		h.t.Fatalf("%s: %v", name, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	f := h.files[at]
	if f == nil || f.dir {
		return "", false
	}
	return string(f.content), true
}

func (h *Host) find(at string) *file {
	if isRoot(at) {
		return &file{dir: true}
	}
	return h.files[at]
}

func (h *Host) mkdirAll(at string) error {
	if isRoot(at) {
		return nil
	}
	if f := h.files[at]; f != nil {
		if !f.dir {
			return abi.Errorf(abi.CodeExists, "%s is a file", at)
		}
		return nil
	}
	if err := h.mkdirAll(parent(at)); err != nil {
		return err
	}
	h.files[at] = &file{dir: true, mtime: h.Now}
	return nil
}

func (h *Host) names(at string) []string {
	names := []string{}
	for p := range h.files {
		if parent(p) == at {
			names = append(names, path.Base(strings.SplitN(p, ":", 2)[1]))
		}
	}
	slices.Sort(names)
	return names
}

func (h *Host) serveFile(fn abi.Function, p []string) ([]byte, error) {
	at, err := place(p[0])
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	f := h.find(at)
	switch fn {
	case abi.FsExists:
		if f == nil {
			return nil, nil
		}
		return []byte("true"), nil
	case abi.FsMkdir:
		return nil, h.mkdirAll(at)
	case abi.WriteFile:
		return nil, h.write(at, f, []byte(p[1]))
	}
	if f == nil {
		return nil, abi.Errorf(abi.CodeNotFound, "%s: no such file or directory", p[0])
	}
	switch fn {
	case abi.FsReaddir:
		if !f.dir {
			return nil, abi.Errorf(abi.CodeIO, "%s: not a directory", p[0])
		}
		return json.Marshal(h.names(at))
	case abi.FsStat:
		st := abi.FileStat{Size: uint64(len(f.content)), IsDir: f.dir}
		if !f.mtime.IsZero() {
			st.Mtime = uint64(f.mtime.Unix())
		}
		return json.Marshal(st)
	case abi.FsUnlink:
		return nil, h.remove(at, f)
	}
	if f.dir {
		return nil, abi.Errorf(abi.CodeIO, "%s: is a directory", p[0])
	}
	return slices.Clone(f.content), nil
}

// write creates directories in the workspace only, as the host does.
func (h *Host) write(at string, f *file, content []byte) error {
	if f != nil && f.dir {
		return abi.Errorf(abi.CodeIO, "%s: is a directory", at)
	}
	dir := parent(at)
	if strings.HasPrefix(at, "cwd:") {
		if err := h.mkdirAll(dir); err != nil {
			return err
		}
	} else if d := h.find(dir); d == nil || !d.dir {
		return abi.Errorf(abi.CodeNotFound, "%s: no such file or directory", dir)
	}
	h.files[at] = &file{content: content, mtime: h.Now}
	return nil
}

func (h *Host) remove(at string, f *file) error {
	switch {
	case isRoot(at):
		return abi.Errorf(abi.CodeInvalid, "the root %s cannot be removed", at)
	case f.dir && len(h.names(at)) > 0:
		return abi.Errorf(abi.CodeIO, "%s: directory not empty", at)
	}
	delete(h.files, at)
	return nil
}
