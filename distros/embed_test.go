package distros_test

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/capsule/distro"
	"github.com/unicity-astrid/astrid-go/distros"
)

// Each distribution is whole: what its capsules import is exported by one of them, whichever
// of a group is chosen, and it lists only what is in the repository.
func TestDistributions(t *testing.T) {
	found, err := filepath.Glob("*/Distro.toml")
	if err != nil || len(found) != len(distros.Names()) {
		t.Fatalf("%v %v, built in are %v", found, err, distros.Names())
	}
	for _, id := range distros.Names() {
		t.Run(id, func(t *testing.T) {
			fsys, err := distros.Open(id)
			if err != nil {
				t.Fatal(err)
			}
			m, err := distro.LoadFS(fsys, distro.ManifestName)
			if err != nil {
				t.Fatal(err)
			}
			for _, group := range m.Groups() {
				for _, member := range group.Members {
					entries, err := m.Select(distro.Answers{Groups: map[string][]string{group.Name: {member}}})
					if err != nil {
						t.Fatal(err)
					}
					var manifests []*capsule.Manifest
					for _, e := range entries {
						dir := strings.TrimPrefix(e.Name, "astrid-capsule-")
						cm, err := capsule.LoadManifest(filepath.Join("astralis/capsules", dir, capsule.ManifestName))
						if err != nil {
							t.Fatal(err)
						}
						manifests = append(manifests, cm)
					}
					for _, r := range capsule.Resolve(manifests).Refused {
						t.Errorf("with %s: %s: %s", member, r.Manifest.ID(), r.Reason)
					}
				}
			}
		})
	}
	if _, err := distros.Open("nobody"); err == nil {
		t.Error("a distribution that is not there was opened")
	}
}

// The distributions share one set of archives, and those listed in one are found through it.
func TestArchives(t *testing.T) {
	fsys, err := distros.Open("astralis-min")
	if err != nil {
		t.Fatal(err)
	}
	archives, err := fs.Glob(fsys, "dist/*.capsule")
	if err != nil {
		t.Fatal(err)
	}
	if len(archives) == 0 {
		t.Skip("the capsules are not built: run make capsules")
	}
	for _, name := range archives {
		if fi, err := fs.Stat(fsys, name); err != nil || fi.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
