package home

import (
	"os"
	"path/filepath"
	"testing"
)

// TestApart: an agent's workspace neither holds Astrid's home nor lies in it, by whatever name.
func TestApart(t *testing.T) {
	top, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	must(t, os.MkdirAll(filepath.Join(top, "real/.astrid/etc"), 0o700))
	must(t, os.Symlink("real", filepath.Join(top, "link")))
	h, err := New(filepath.Join(top, "link/.astrid"))
	must(t, err)
	for dir, apart := range map[string]bool{
		"/": false, top: false, top + "/link": false, top + "/real": false, top + "/real/.astrid": false, top + "/real/.astrid/etc": false,
		top + "/real/project": true, top + "/real/.astridx": true, "/elsewhere": true,
	} {
		if err := h.Apart(dir); (err == nil) != apart {
			t.Errorf("%s: %v", dir, err)
		}
	}
}
