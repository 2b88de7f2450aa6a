// Package distros carries the distributions that are built into astrid, so that it works
// without a network: a Distro.toml each and, once `make` has built them, the packed capsules,
// which they share.
package distros

import (
	"embed"
	"io/fs"
	"strings"
)

//go:embed astralis/Distro.toml astralis-min/Distro.toml all:astralis/dist
var files embed.FS

// Default is the id of the distribution that is installed unless another one is named.
const Default = "astralis"

// Minimal is the id of the smallest distribution that makes an agent.
const Minimal = "astralis-min"

// Names lists the built-in distributions, the default first.
func Names() []string { return []string{Default, Minimal} }

// Open returns the files of a built-in distribution: Distro.toml and dist/<name>.capsule.
func Open(id string) (fs.FS, error) {
	own, err := fs.Sub(files, id)
	if err != nil {
		return nil, err
	}
	if _, err := fs.Stat(own, "Distro.toml"); err != nil {
		return nil, err
	}
	return distribution{own}, nil
}

// distribution is a Distro.toml beside the capsules that all distributions share.
type distribution struct{ own fs.FS }

func (d distribution) Open(name string) (fs.File, error) {
	if name == "dist" || strings.HasPrefix(name, "dist/") {
		return files.Open(Default + "/" + name)
	}
	return d.own.Open(name)
}
