package distros_test

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// maxModule is the most that a capsule's module may have, in bytes: all of them are
// compiled when the distribution is installed, and kept in memory while it runs.
const maxModule = 4_500_000

// TestModuleSizes looks at the archives that make has built.
func TestModuleSizes(t *testing.T) {
	dirs, err := filepath.Glob("astralis/capsules/*")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no capsules: %v", err)
	}
	for _, dir := range dirs {
		name := filepath.Base(dir)
		archive := filepath.Join("astralis/dist", "astrid-capsule-"+name+".capsule")
		if _, err := os.Stat(archive); errors.Is(err, os.ErrNotExist) && os.Getenv("CI") == "" {
			t.Logf("%s is not built: run make", name)
			continue
		}
		if n := moduleSize(t, archive); n > maxModule {
			t.Errorf("%s: the module has %d bytes, more than %d: see what it imports (regexp, reflection, fmt of big types)", name, n, maxModule)
		} else {
			t.Logf("%-16s %7d bytes", name, n)
		}
	}
}

func moduleSize(t *testing.T, archive string) int64 {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatalf("%s: %v", archive, err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			t.Fatalf("%s: there is no module", archive)
		}
		if err != nil {
			t.Fatalf("%s: %v", archive, err)
		}
		if strings.HasSuffix(h.Name, ".wasm") {
			return h.Size
		}
	}
}
