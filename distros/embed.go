// Package distros carries the distributions that are built into astrid, so that it works
// without a network: Distro.toml and, once `make` has built them, the packed capsules.
package distros

import (
	"embed"
	"io/fs"
)

//go:embed astralis/Distro.toml all:astralis/dist
var files embed.FS

// Default is the id of the distribution that is installed unless another one is named.
const Default = "astralis"

// Open returns the files of a built-in distribution: Distro.toml and dist/<name>.capsule.
func Open(id string) (fs.FS, error) {
	sub, err := fs.Sub(files, id)
	if err != nil {
		return nil, err
	}
	if _, err := fs.Stat(sub, "Distro.toml"); err != nil {
		return nil, err
	}
	return sub, nil
}
