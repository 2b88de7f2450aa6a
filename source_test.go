package astrid

import (
	"os/exec"
	"path"
	"strings"
	"testing"
)

// TestSDK: the embedded source is whole, and nothing else.
func TestSDK(t *testing.T) {
	files, err := SDK()
	if err != nil {
		t.Fatal(err)
	}
	have := make(map[string]bool)
	for name := range files {
		have[path.Dir(name)] = true
		if strings.HasSuffix(name, "_test.go") || strings.Contains(name, "testdata") || strings.HasPrefix(name, "abi/host") {
			t.Errorf("%s does not belong to what capsules are built from", name)
		}
	}
	out, err := exec.Command("go", "list", "-deps", "./abi", "./sdk/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for _, pkg := range strings.Fields(string(out)) {
		pkg, ours := strings.CutPrefix(pkg, Module+"/")
		if ours && !strings.Contains(pkg, "testdata") && !have[pkg] {
			t.Errorf("package %s is missing", pkg)
		}
	}
	if v := GoVersion(); !strings.HasPrefix(v, "1.") {
		t.Errorf("version of Go: %q", v)
	}
}
