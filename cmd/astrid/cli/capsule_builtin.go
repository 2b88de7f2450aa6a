package cli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/unicity-astrid/astrid-go/capsule/store"
	"github.com/unicity-astrid/astrid-go/distros"
)

// builtin and a name is the source of a capsule that astrid carries with it. The name alone will do where no file is called so.
const builtin = "builtin:"

// unpackBuiltin writes the archive of a capsule that is built in.
func unpackBuiltin(name, scratch string) (found, error) {
	short := strings.TrimSuffix(strings.TrimPrefix(name, capsulePrefix), store.ArchiveSuffix)
	files, err := distros.Open(distros.Default)
	if err != nil {
		return found{}, err
	}
	raw, err := fs.ReadFile(files, "dist/"+capsulePrefix+short+store.ArchiveSuffix)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		return found{}, fail(ExitError, "there is nothing to install: %q is no file or directory, and astrid carries no capsule of that name with it", name)
	}
	if err != nil {
		return found{}, err
	}
	f := found{path: filepath.Join(scratch, capsulePrefix+short+store.ArchiveSuffix), source: builtin + short}
	return f, os.WriteFile(f.path, raw, 0o600)
}
