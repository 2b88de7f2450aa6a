package distro

import (
	"io/fs"
	"strings"
	"testing"

	tomltest "github.com/toml-lang/toml-test"

	"github.com/unicity-astrid/astrid-go/capsule"
)

// Every file of the TOML project that is no TOML, and every one that is, goes through the loaders of all
// three formats: none may panic, and none of the first may be taken.
func TestTOMLSuite(t *testing.T) {
	files, invalid := tomltest.EmbeddedTests(), 0
	err := fs.WalkDir(files, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".toml") {
			return err
		}
		data, err := fs.ReadFile(files, path)
		if err != nil {
			return err
		}
		_, manifest := capsule.ParseManifest(path, data)
		_, distro := Parse(path, data)
		_, lock := ParseLock(path, data)
		if strings.HasPrefix(path, "invalid/") {
			invalid++
			if manifest == nil || distro == nil || lock == nil {
				t.Errorf("%s is taken: %v, %v, %v", path, manifest, distro, lock)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if invalid < 300 {
		t.Errorf("only %d invalid files were seen", invalid)
	}
}

func FuzzOpenBundle(f *testing.F) {
	f.Add([]byte(""))
	f.Add([]byte("bundle.json" + strings.Repeat("\x00", 1013)))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := OpenBundle(strings.NewReader(string(data)), t.TempDir(), func(*Bundle) error { return nil })
		if err == nil && (b.Manifest == nil || b.Lock == nil) {
			t.Error("opened, and not whole")
		}
	})
}
