package stricttoml

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
)

func TestLine(t *testing.T) {
	doc, err := Parse("f", []byte(`# comment with [brackets] and "quotes
a = """
x = 1
[not.a.table]
\"""
"""
b.c = [ # first
  1,
  "two # no comment", [3,
    4], ]
d = '''
'''
e = { f = 1, g = { h = 2 } }
[x."y.z".'w']
k = 2026-01-01 10:00:00
[[arr]]
v = 1
[arr.sub]
q = 1
[[arr]]
[[arr.nested]]
n = "\\"
[[arr.nested]]
n = 2
`))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{
		"a": 2, "b": 7, "b.c": 7, "b.c[0]": 8, "b.c[1]": 9, "b.c[2]": 9, "b.c[2][1]": 10, "d": 11, "e.f": 13, "e.g.h": 13,
		`x."y.z".w`: 14, `x."y.z".w.k`: 15, "arr": 16, "arr[0]": 16, "arr[0].v": 17, "arr[0].sub": 18, "arr[0].sub.q": 19,
		"arr[1]": 20, "arr[1].nested[0]": 21, "arr[1].nested[0].n": 22, "arr[1].nested[1].n": 24,
		"arr[1].nested[1].absent": 23, "absent": 0, "not.a": 0,
	} {
		if got := doc.Line(path); got != want {
			t.Errorf("%s: line %d, want %d", path, got, want)
		}
	}
	if doc.Has("arr[1].nested[1].absent") || !doc.Has("arr[1].nested[1].n") {
		t.Error("Has")
	}
}

// corpus returns the test files that come with the TOML parser.
func corpus(t testing.TB, kind string) map[string]string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/BurntSushi/toml").Output()
	if err != nil {
		t.Skipf("the module's directory is unknown: %v", err)
	}
	dir := filepath.Join(strings.TrimSpace(string(out)), "internal", "toml-test", "tests", kind)
	files := map[string]string{}
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".toml" {
			return err
		}
		data, err := os.ReadFile(path)
		files[strings.TrimPrefix(path, dir)] = string(data)
		return err
	})
	if err != nil || len(files) < 50 {
		t.Skipf("the corpus is not there: %v", err)
	}
	return files
}

// Every key and element of every valid file has a line, and the line mentions the end of the key.
func TestLinesOfCorpus(t *testing.T) {
	for name, text := range corpus(t, "valid") {
		doc, err := Parse(name, []byte(text))
		if err != nil {
			continue // of a later TOML version than the parser reads by default
		}
		var v outer
		_ = doc.Decode(&v, Options{}) // complains about everything and must not panic
		lines := strings.Split(text, "\n")
		var walk func(path, key string, v any)
		walk = func(path, key string, v any) {
			if !doc.Has(path) {
				t.Errorf("%s: %s has no line", name, path)
				return
			}
			if line := lines[doc.lines[path]-1]; key != "" && isPlain(key) && !strings.Contains(line, "\\") && !strings.Contains(line, key) {
				t.Errorf("%s: %s is said to be on line %d: %q", name, path, doc.lines[path], line)
			}
			switch v := v.(type) {
			case map[string]any:
				for k, item := range v {
					walk(Join(path, k), k, item)
				}
			case []map[string]any:
				for i, item := range v {
					walk(Elem(path, i), "", item)
				}
			case []any:
				for i, item := range v {
					walk(Elem(path, i), "", item)
				}
			}
		}
		for k, v := range doc.root {
			walk(Join("", k), k, v)
		}
	}
}

func isPlain(key string) bool {
	for i := range len(key) {
		if !isBare(key[i]) {
			return false
		}
	}
	return true
}

func TestInvalidCorpus(t *testing.T) {
	for name, text := range corpus(t, "invalid") {
		index(text) // must end, whatever it is given
		var v any
		_, direct := toml.Decode(text, &v)
		if _, err := Parse(name, []byte(text)); (err == nil) != (direct == nil) {
			t.Errorf("%s: %v, the parser says %v", name, err, direct)
		}
	}
}

func FuzzIndex(f *testing.F) {
	f.Add("[[a]]\nb = [1, {c = \"\"\"\n\"\"\"}]\n")
	f.Add("a = \"\\")
	f.Add("[[")
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Count(text, "\n") + 1
		for path, line := range index(text) {
			if line < 1 || line > lines {
				t.Fatalf("%s is on line %d of %d", path, line, lines)
			}
		}
	})
}
