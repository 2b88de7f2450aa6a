package astrid

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	namedTest = regexp.MustCompile(`\bTest[A-Z][A-Za-z0-9]*`)
	testFunc  = regexp.MustCompile(`(?m)^func (Test[A-Z][A-Za-z0-9]*)\(`)
)

// TestConformanceTables: the tests that a package's comment names as the counterparts of
// v0.5.0's exist in that package.
func TestConformanceTables(t *testing.T) {
	for _, dir := range []string{"approval", "audit", "capability", "abi/host"} {
		doc, err := os.ReadFile(filepath.Join(dir, "doc.go"))
		if err != nil {
			t.Fatal(err)
		}
		_, table, ok := strings.Cut(string(doc), "# Cases of v0.5.0")
		named := namedTest.FindAllString(table, -1)
		if !ok || len(named) == 0 {
			t.Errorf("%s names no tests", dir)
		}
		files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		have := map[string]bool{}
		for _, f := range files {
			src, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range testFunc.FindAllStringSubmatch(string(src), -1) {
				have[m[1]] = true
			}
		}
		for _, name := range named {
			if !have[name] {
				t.Errorf("%s/doc.go names %s, which does not exist", dir, name)
			}
		}
	}
}
