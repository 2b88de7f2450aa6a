package host

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/testdata/escapes"
)

// TestEscapes: a guest that may do everything asks for each name of the list in each scheme, by each function for files.
// Nothing outside is read, listed, measured or changed.
func TestEscapes(t *testing.T) {
	r := newRig(t, autonomous())
	base := filepath.Dir(r.ws)
	must(t, os.Mkdir(filepath.Join(base, "trap"), 0o755))
	tr, err := escapes.New(filepath.Join(base, "trap"))
	must(t, err)
	// The workspace, the home and /tmp are traps; they take the place of the list's own root, which their links lead around.
	for _, dir := range []string{r.ws, r.home, filepath.Join(base, "tmp")} {
		must(t, tr.Set(dir))
		must(t, os.WriteFile(filepath.Join(base, "secret"), []byte(escapes.Secret), 0o644))
		must(t, os.MkdirAll(filepath.Join(base, "out"), 0o755))
	}
	before, err := tr.Outside()
	must(t, err)
	beside := func() map[string]string {
		pic := map[string]string{}
		for _, name := range []string{"secret", "created", "made", "out", "root2"} {
			if b, err := os.ReadFile(filepath.Join(base, name)); err == nil {
				pic[name] = string(b)
			} else if list, err := os.ReadDir(filepath.Join(base, name)); err == nil {
				pic[name] = "directory"
				for _, e := range list {
					pic[name+"/"+e.Name()] = e.Type().String()
				}
			}
		}
		return pic
	}
	near := beside()
	g := r.guest(newCapsule(everythingGrants()))
	for _, step := range []map[abi.Function][]string{ // what changes the trap comes last
		{abi.ReadFile: nil, abi.FsExists: nil, abi.FsReaddir: nil, abi.FsStat: nil},
		{abi.WriteFile: {"by guest"}, abi.FsMkdir: nil},
		{abi.FsUnlink: nil},
	} {
		for _, scheme := range []string{"", "home://"} {
			for _, name := range tr.Names() {
				for fn, params := range step {
					out, _ := g.do(fn, append([]string{scheme + name}, params...)...)
					if got := string(out); strings.Contains(got, escapes.Secret) || strings.Contains(got, "root:") ||
						fn == abi.FsReaddir && (strings.Contains(got, `"root2"`) || strings.Contains(got, `"secret"`)) || fn == abi.FsStat && strings.Contains(got, `"size":18,`) {
						t.Errorf("%s %.80q reached the outside: %.100q", fn, scheme+name, got)
					}
				}
			}
		}
	}
	after, err := tr.Outside()
	must(t, err)
	if !maps.Equal(before, after) || !maps.Equal(near, beside()) {
		t.Errorf("the outside changed:\n%v\n%v\n%v\n%v", before, after, near, beside())
	}
}
