package astrid

import (
	"embed"
	"io/fs"
	"path"
	"strings"
)

// Module is the path of this module.
const Module = "github.com/unicity-astrid/astrid-go"

// The packages below are all that a capsule needs besides the standard library. They are
// embedded here and not in themselves, so that guests do not carry their own source.
//
//go:embed go.mod abi/*.go abi/rawjson/*.go sdk
var source embed.FS

// SDK returns the source of the packages that a capsule is built from, by path below the
// module, without their tests: sdk and all below it, abi, and what these import.
func SDK() (map[string][]byte, error) {
	files := make(map[string][]byte)
	err := fs.WalkDir(source, ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && e.Name() == "testdata":
			return fs.SkipDir
		case e.IsDir() || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		files[name], err = source.ReadFile(name)
		return err
	})
	return files, err
}

// GoVersion is the version of the Go language that the SDK needs, for example "1.26.0".
func GoVersion() string {
	b, err := source.ReadFile("go.mod")
	if err != nil {
		panic(err) // it is embedded
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "go "); ok {
			return v
		}
	}
	panic("go.mod has no go line")
}
