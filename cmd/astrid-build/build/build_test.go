package build

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/capsule/store"
)

const goSource = `package main

import "unsafe"

//go:wasmimport astrid_link take
func take(ptr unsafe.Pointer, capacity uint32) int32

//go:wasmimport astrid astrid_clock_ms
func clock() int64

//go:wasmexport astrid_hook_trigger
func trigger(length uint32) int64 {
	buf := make([]byte, length+1)
	take(unsafe.Pointer(&buf[0]), length)
	return clock()
}

func main() {}
`

const goManifest = `[package]
name = "demo"
version = "1.2.3"
readme = "README.md"
include = ["assets/**"]
exclude = ["**.bak"]
[[component]]
file = "demo_capsule.wasm"
[[interceptor]]
event = "tool.v1.execute.demo"
action = "demo"
[[skill]]
name = "review"
file = "skills/review.md"
`

// project writes a project directory.
func writeProject(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func goProject(t *testing.T) string {
	return writeProject(t, map[string]string{
		"Capsule.toml": goManifest, "main.go": goSource, "go.mod": "module example.org/demo\n\ngo 1.24\n",
		"README.md": "# demo", "skills/review.md": "review", "wit/demo.wit": "package demo;",
		"assets/a/b.txt": "asset", "assets/c.bak": "no", "assets/.hidden/x": "no", "notes.txt": "no",
	})
}

// Two projects in different directories, built at different times, give the same bytes.
func TestBuildGo(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the Go compiler")
	}
	var archives [2][]byte
	for i := range archives {
		dir := goProject(t)
		before := listDir(t, dir)
		var stdout, stderr bytes.Buffer
		out := filepath.Join(t.TempDir(), "out")
		if code := Run([]string{dir, "-o", out}, &stdout, &stderr); code != 0 {
			t.Fatalf("exit code %d: %s", code, &stderr)
		}
		if got := strings.TrimSpace(stdout.String()); got != filepath.Join(out, "demo.capsule") {
			t.Errorf("printed %q", got)
		}
		if !strings.Contains(stderr.String(), "built demo 1.2.3") || !strings.Contains(stderr.String(), "blake3:") {
			t.Errorf("reported %q", &stderr)
		}
		var err error
		if archives[i], err = os.ReadFile(filepath.Join(out, "demo.capsule")); err != nil {
			t.Fatal(err)
		}
		if after := listDir(t, dir); !slices.Equal(before, after) {
			t.Errorf("the project changed: %v", after)
		}
	}
	if !bytes.Equal(archives[0], archives[1]) {
		t.Error("two builds of the same project differ")
	}
	want := []string{"Capsule.toml", "README.md", "assets/a/b.txt", "demo_capsule.wasm", "skills/review.md", "wit/demo.wit"}
	if got := entries(t, archives[0]); !slices.Equal(got, want) {
		t.Errorf("packed %v, want %v", got, want)
	}
}

func listDir(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	err := filepath.Walk(dir, func(path string, _ os.FileInfo, err error) error {
		rel, _ := filepath.Rel(dir, path)
		names = append(names, rel)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// entries checks that nothing in the headers depends on the machine, and returns the names.
func entries(t *testing.T, packed []byte) []string {
	t.Helper()
	gz, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	if !gz.ModTime.IsZero() || gz.Name != "" || gz.OS != 255 {
		t.Errorf("gzip header %+v", gz.Header)
	}
	var names []string
	for r := tar.NewReader(gz); ; {
		h, err := r.Next()
		if err == io.EOF {
			return names
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.ModTime.Unix() != 0 || h.Uid != 0 || h.Gid != 0 || h.Uname != "" || h.Gname != "" || h.Mode != 0o644 {
			t.Errorf("header of %s: %+v", h.Name, h)
		}
		names = append(names, h.Name)
	}
}

func TestBuildGoReportsCompilerErrors(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the Go compiler")
	}
	dir := writeProject(t, map[string]string{"Capsule.toml": goManifest, "main.go": "package main\n\nfunc main() { undefined() }\n", "go.mod": "module example.org/demo\n\ngo 1.24\n"})
	var stdout, stderr bytes.Buffer
	if code := Run([]string{dir}, &stdout, &stderr); code != 1 || stdout.Len() > 0 {
		t.Errorf("exit code %d, printed %q", code, &stdout)
	}
	if !strings.Contains(stderr.String(), "main.go:3:") {
		t.Errorf("the position is missing: %s", &stderr)
	}
}

func TestBuildWasm(t *testing.T) {
	manifest := "[package]\nname = \"demo\"\nversion = \"1.0.0\"\n[[component]]\nfile = \"sub/x.wasm\"\n"
	dir := writeProject(t, map[string]string{"Capsule.toml": manifest, "sub/x.wasm": string(module(moduleSpec{exports: []string{"run"}, typed: true}))})
	r, err := Build(context.Background(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if r.Path != filepath.Join(dir, "dist", "demo.capsule") || len(r.WasmHash) != 64 {
		t.Errorf("%+v", r)
	}
	// The default output directory lies inside the project and must not be packed or detected next time.
	again, err := Build(context.Background(), Options{Dir: dir, Output: filepath.Join(t.TempDir(), "named.capsule")})
	if err != nil {
		t.Fatal(err)
	}
	a, _ := os.ReadFile(r.Path)
	b, _ := os.ReadFile(again.Path)
	if !bytes.Equal(a, b) || len(a) == 0 {
		t.Error("the second build differs")
	}
}

func TestBuildStatic(t *testing.T) {
	manifest := "[package]\nname = \"demo\"\nversion = \"1.0.0\"\n[capabilities]\nhost_process = [\"node\"]\n" +
		"[[mcp_server]]\nid = \"demo\"\ntype = \"stdio\"\ncommand = \"node\"\nargs = [\"server.mjs\", \"--flag\"]\n"
	dir := writeProject(t, map[string]string{"Capsule.toml": manifest, "server.mjs": "x"})
	r, err := Build(context.Background(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	data, _ := os.ReadFile(r.Path)
	if got := entries(t, data); !slices.Equal(got, []string{"Capsule.toml", "server.mjs"}) {
		t.Errorf("packed %v", got)
	}
}

func TestBuildRefuses(t *testing.T) {
	const pkg, component = "[package]\nname = \"demo\"\nversion = \"1.0.0\"\n", "[[component]]\nfile = \"x.wasm\"\n"
	good := string(module(moduleSpec{exports: []string{"run"}, typed: true}))
	tests := []struct {
		name  string
		files map[string]string
		kind  Kind
		want  string
	}{
		{"nothing", nil, "", "Capsule.toml"},
		{"Rust without manifest", map[string]string{"Cargo.toml": ""}, "", "write a Capsule.toml beside it"},
		{"no source", map[string]string{"Capsule.toml": pkg + component}, "", "neither Go files nor x.wasm"},
		{"unknown type", map[string]string{"Capsule.toml": pkg + component}, "cobol", "want go, rust, wasm, mcp or static"},
		{"MCP without servers", map[string]string{"mcp.json": "{\"name\": \"x\"}"}, "", "no mcpServers"},
		{"MCP with a bad name", map[string]string{"mcp.json": "{\"name\": \"../x\", \"mcpServers\": {\"a\": {\"command\": \"b\"}}}"}, "", "name"},
		{"MCP by address", map[string]string{"mcp.json": "{\"name\": \"x\", \"mcpServers\": {\"a\": {\"url\": \"https://b\"}}}"}, "", "reached by an address"},
		{"MCP and a manifest", map[string]string{"mcp.json": "{}", "Capsule.toml": pkg}, KindMCP, "--type mcp"},
		{"type without component", map[string]string{"Capsule.toml": pkg}, KindGo, "no [[component]]"},
		{"static with component", map[string]string{"Capsule.toml": pkg + component}, KindStatic, "has a component"},
		{"bad manifest", map[string]string{"Capsule.toml": pkg + "typo = 1\n"}, "", "Capsule.toml:4"},
		{"named file missing", map[string]string{"Capsule.toml": pkg + component + "[[skill]]\nname = \"s\"\nfile = \"s.md\"\n", "x.wasm": good}, "", "skill s"},
		{"schema not JSON", map[string]string{"Capsule.toml": pkg + component + "[[topic]]\nname = \"a.b\"\ndirection = \"publish\"\nschema = \"s.json\"\n", "x.wasm": good, "s.json": "{"}, "", "not JSON"},
		{"bad glob", map[string]string{"Capsule.toml": strings.Replace(pkg, "\nversion", "\ninclude = [\"{a\"]\nversion", 1) + component, "x.wasm": good}, "", "package.include"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := writeProject(t, tt.files)
			_, err := Build(context.Background(), Options{Dir: dir, Kind: tt.kind})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error %v, want it to mention %q", err, tt.want)
			}
			if exists(filepath.Join(dir, "dist")) {
				t.Error("a failed build left an output directory")
			}
		})
	}
}

func TestBuildRefusesLinks(t *testing.T) {
	dir := writeProject(t, map[string]string{"Capsule.toml": "[package]\nname = \"demo\"\nversion = \"1.0.0\"\nreadme = \"README.md\"\n"})
	if err := os.Symlink("/etc/hostname", filepath.Join(dir, "README.md")); err != nil {
		t.Fatal(err)
	}
	if _, err := Build(context.Background(), Options{Dir: dir}); !errors.Is(err, ErrProject) {
		t.Error(err)
	}
}

func TestRunUsage(t *testing.T) {
	for _, args := range [][]string{{"--nonsense"}, {"a", "b"}} {
		var stdout, stderr bytes.Buffer
		if code := Run(args, &stdout, &stderr); code != 2 || !strings.Contains(stderr.String(), "--help") {
			t.Errorf("%v: exit code %d, %s", args, code, &stderr)
		}
	}
	var stdout, stderr bytes.Buffer
	if code := Run([]string{"--help"}, &stdout, &stderr); code != 0 || !strings.Contains(stdout.String(), "--output") {
		t.Errorf("help: exit code %d, %s", code, &stdout)
	}
}

func TestPackOrder(t *testing.T) {
	var a, b bytes.Buffer
	files := []store.File{{Name: "b"}, {Name: capsule.ManifestName}, {Name: "A", Data: []byte("x")}}
	if err := store.Pack(&a, files); err != nil {
		t.Fatal(err)
	}
	slices.Reverse(files)
	if err := store.Pack(&b, files); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("the order of the input shows")
	}
	if got := entries(t, a.Bytes()); !slices.Equal(got, []string{"Capsule.toml", "A", "b"}) {
		t.Errorf("packed %v", got)
	}
}
