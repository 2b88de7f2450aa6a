package fs_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/unicity-astrid/astrid-go/abi"
	sdkfs "github.com/unicity-astrid/astrid-go/sdk/fs"
	"github.com/unicity-astrid/astrid-go/sdk/sdktest"
)

func TestErrors(t *testing.T) {
	h := sdktest.New(t)
	h.Mkdir("d")
	h.WriteFile("f", "x")
	for _, tt := range []struct {
		name string
		err  error
		is   []error
	}{
		{"missing", second(sdkfs.ReadFile("gone")), []error{fs.ErrNotExist, abi.ErrNotFound}},
		{"stat", second(sdkfs.Stat("home://gone")), []error{fs.ErrNotExist, abi.ErrNotFound}},
		{"no parent", sdkfs.WriteFile("home://no/such", nil), []error{fs.ErrNotExist}},
		{"file in the way", sdkfs.MkdirAll("f"), []error{fs.ErrExist, abi.ErrExists}},
		{"escape", second(sdkfs.ReadFile("../x")), []error{fs.ErrPermission, abi.ErrDenied}},
		{"too long", second(sdkfs.Exists(strings.Repeat("x", abi.MaxPath+1))), []error{abi.ErrTooLarge}},
		{"root", sdkfs.Remove("cwd://"), []error{fs.ErrInvalid, abi.ErrInvalid}},
	} {
		for _, is := range tt.is {
			if !errors.Is(tt.err, is) {
				t.Errorf("%s: %v is not %v", tt.name, tt.err, is)
			}
		}
		var pe *fs.PathError
		if !errors.As(tt.err, &pe) {
			t.Errorf("%s: %T", tt.name, tt.err)
		}
	}
	if err := sdkfs.Remove("d"); err != nil {
		t.Error(err)
	}
	if errors.Is(second(sdkfs.ReadFile("gone")), fs.ErrPermission) {
		t.Error("a missing file is a refusal, too")
	}
}

func second[T any](_ T, err error) error { return err }

func TestWorkspaceIsOneTree(t *testing.T) {
	h := sdktest.New(t)
	if err := sdkfs.WriteFile("a/b.txt", []byte("x")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a/b.txt", "cwd://a/b.txt", "/a/b.txt", "a/../a/./b.txt"} {
		b, err := sdkfs.ReadFile(name)
		if err != nil || string(b) != "x" {
			t.Errorf("%s: %q %v", name, b, err)
		}
	}
	if got, ok := h.ReadFile("cwd://a/b.txt"); !ok || got != "x" {
		t.Errorf("%q %v", got, ok)
	}
	if ok, err := sdkfs.Exists("home://a/b.txt"); ok || err != nil {
		t.Errorf("%v %v", ok, err)
	}
}

func TestView(t *testing.T) {
	h := sdktest.New(t)
	for _, name := range []string{"top.txt", "dir/one.txt", "dir/sub/two.txt"} {
		h.WriteFile("home://root/"+name, "content of "+name)
	}
	if err := fstest.TestFS(sdkfs.FS("home://root"), "top.txt", "dir/one.txt", "dir/sub/two.txt"); err != nil {
		t.Error(err)
	}
	_, err := sdkfs.FS("home://root").Open("gone")
	var pe *fs.PathError
	if !errors.As(err, &pe) || pe.Path != "gone" || !errors.Is(err, abi.ErrNotFound) {
		t.Errorf("%v", err)
	}
}

func TestJoin(t *testing.T) {
	for _, tt := range [][2]string{
		{sdkfs.Join("cwd://", "a"), "cwd://a"},
		{sdkfs.Join("home://x/", "a", "b"), "home://x/a/b"},
		{sdkfs.Join(".", "a"), "a"},
		{sdkfs.Join("/tmp", "a"), "/tmp/a"},
		{sdkfs.Join("", "a"), "a"},
	} {
		if tt[0] != tt[1] {
			t.Errorf("got %s, want %s", tt[0], tt[1])
		}
	}
}
