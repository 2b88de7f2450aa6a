package kernel

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/testdata/escapes"
	"github.com/unicity-astrid/astrid-go/vfs"
)

// TestProgramSwapsLinksUnderTheDaemon: a program in the sandbox swaps a directory for links to the outside as fast as it can, while
// the daemon reads and writes there for guests, which goes through the program's own mount. Neither is led out.
func TestProgramSwapsLinksUnderTheDaemon(t *testing.T) {
	needSandbox(t)
	tr, err := escapes.New(t.TempDir())
	noError(t, err)
	k := boot(t, func(o *Options) { o.Workspace = tr.Root })
	before, err := tr.Outside()
	noError(t, err)
	tree, _, err := k.files.Workspace(t.Context(), "default", "s")
	noError(t, err)
	exact := tree.(interface{ Exact() vfs.Vfs }).Exact()
	p := runIn(t, k, "s", fmt.Sprintf(`mkdir -p d/dir real; echo inside > d/secret; ln -s ../../out rel; ln -s %s/out abs; ln -s /proc/self/root%s/out proc
echo up
while :; do for l in rel abs proc; do mv -T d kept; mv -T $l d; mv -T d $l; mv -T kept d; done; done 2>/dev/null`, tr.Outer, tr.Outer), true)
	waitOutput(t, p, "up")
	done := map[string]int{}
	for i := range 600 {
		for name, v := range map[string]vfs.Vfs{"exact": exact, "following": tree} {
			if b, err := v.ReadFile("d/secret", 0); strings.Contains(string(b), escapes.Secret) {
				t.Fatalf("%s: read the outside", name)
			} else if err == nil {
				done[name+" read"]++
			}
			switch i % 5 {
			case 0:
				err = v.WriteFile("d/secret", []byte("by guest"), 0o644)
			case 1:
				err = v.WriteFile(fmt.Sprintf("d/new%d", i), nil, 0o644)
			case 2:
				err = v.MkdirAll("d/dir/made", 0o755)
			case 3:
				err = v.Remove(fmt.Sprintf("d/new%d", i-2))
			case 4:
				err = v.Chmod("d/secret", 0o777)
			}
			if err == nil {
				done[name+" write"]++
			}
		}
	}
	p.Kill()
	<-p.Done()
	for _, what := range []string{"exact read", "exact write", "following read", "following write"} {
		if done[what] == 0 {
			t.Errorf("nothing came of %s: %v", what, done)
		}
	}
	commitAll(t, k, "s")
	after, err := tr.Outside()
	noError(t, err)
	if d := difference(before, after); d != "" {
		t.Errorf("the outside changed:\n%s", d)
	}
	for _, name := range []string{"rel", "abs", "proc"} { // a link is committed as a link
		if fi, err := os.Lstat(filepath.Join(tr.Root, name)); err == nil && fi.Mode()&os.ModeSymlink == 0 {
			t.Errorf("%s became %v", name, fi.Mode())
		}
	}
}
