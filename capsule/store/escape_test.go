package store

import (
	"archive/tar"
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/testdata/escapes"
)

// TestEscapes: archives whose entries have the names of the list, and links and files behind them, put nothing outside of the
// directory that they are unpacked to.
func TestEscapes(t *testing.T) {
	tr, err := escapes.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	before, err := tr.Outside()
	if err != nil {
		t.Fatal(err)
	}
	try := func(entries ...header) {
		t.Helper()
		for i, e := range entries {
			if strings.ContainsRune(e.name, 0) || e.name == "" {
				return // the format ends names there
			}
			if e.kind != tar.TypeDir {
				entries[i].name = strings.TrimRight(e.name, "/") // what ends in a slash is a directory to it
			}
			if entries[i].name == "" {
				return
			}
		}
		if err := os.RemoveAll(tr.Root); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(tr.Root, 0o700); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(tr.Root)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		err = unpack(bytes.NewReader(archive(t, entries...)), root)
		links := 0
		werr := filepath.WalkDir(tr.Root, func(_ string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() && !d.Type().IsRegular() {
				links++
			}
			return err
		})
		if links > 0 || werr != nil {
			t.Errorf("%.80q: %d entries that are neither file nor directory (%v, %v)", entries[0].name, links, err, werr)
		}
	}
	for _, name := range tr.Names() {
		try(header{name: name, body: "by archive"})
		try(header{name: name, kind: tar.TypeDir})
		try(header{name: name, kind: tar.TypeSymlink, link: tr.Outer}, header{name: name + "/created", body: "by archive"})
	}
	for name, target := range tr.Links() {
		for _, kind := range []byte{tar.TypeSymlink, tar.TypeLink} {
			try(header{name: name, kind: kind, link: target}, header{name: name, body: "by archive"})
			try(header{name: name, kind: kind, link: target}, header{name: name + "/secret", body: "by archive"})
		}
	}
	after, err := tr.Outside()
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(before, after) {
		t.Errorf("the outside changed:\n%v\n%v", before, after)
	}
}
