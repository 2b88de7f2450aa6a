package build

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/capsule/store"
)

func TestBuildMCP(t *testing.T) {
	files := map[string]string{
		"mcp.json": `{"name": "notes", "version": "2.0.0", "description": "Says \"hi\"\u0001 ü",
			"mcpServers": {"b": {"command": "node", "args": ["server.js", "--x=\"y\""], "env": {"NOTES_KEY": ""}}, "a": {"command": "node"}}}`,
		"server.js": "code", "AGENTS.md": "context", "skills/plan.md": "skill", "other.txt": "no",
	}
	one, err := Build(context.Background(), Options{Dir: writeProject(t, files)})
	if err != nil {
		t.Fatal(err)
	}
	two, err := Build(context.Background(), Options{Dir: writeProject(t, files)})
	if err != nil {
		t.Fatal(err)
	}
	a, b := readFile(t, one.Path), readFile(t, two.Path)
	if !bytes.Equal(a, b) {
		t.Error("the same input gave two archives")
	}
	if got := strings.Join(entries(t, a), " "); got != "Capsule.toml AGENTS.md server.js skills/plan.md" {
		t.Errorf("packed %s", got)
	}
	m, _, err := store.InspectArchive(bytes.NewReader(a))
	if err != nil {
		t.Fatal(err)
	}
	if m.ID() != "notes" || len(m.MCPServers) != 2 || m.MCPServers[0].ID != "a" || m.MCPServers[1].Args[1] != `--x="y"` {
		t.Errorf("servers %+v", m.MCPServers)
	}
	if m.Package.Description != "Says \"hi\"\u0001 ü" || strings.Join(m.Capabilities.HostProcess, " ") != "node" || m.Env["NOTES_KEY"].Kind() != capsule.EnvSecret {
		t.Errorf("manifest %+v", m)
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// guestOf compiles the guest of the CLI's tests: the tools demo and around.
func guestOf(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("compiles a guest")
	}
	out := filepath.Join(t.TempDir(), "g.wasm")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-ldflags=-s -w", "-o", out, "../../astrid/cli/testdata/guest")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return string(readFile(t, out))
}

func TestToolsGoIntoTheArchive(t *testing.T) {
	const head = "[package]\nname = \"demo\"\nversion = \"1.0.0\"\n[[component]]\nfile = \"g.wasm\"\n[[interceptor]]\nevent = \"tool.v1.request.describe\"\naction = \"tool_describe\"\n" +
		"[[interceptor]]\nevent = \"tool.v1.execute.around\"\naction = \"tool_execute_around\"\n"
	const demo = "[[interceptor]]\nevent = \"tool.v1.execute.demo\"\naction = \"tool_execute_demo\"\n"
	wasm := guestOf(t)
	r, err := Build(context.Background(), Options{Dir: writeProject(t, map[string]string{"Capsule.toml": head + demo, "g.wasm": wasm})})
	if err != nil {
		t.Fatal(err)
	}
	s := store.Store{Dir: filepath.Join(t.TempDir(), "c"), BinDir: filepath.Join(t.TempDir(), "b")}
	i, err := s.InstallPath(context.Background(), r.Path, store.InstallOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var d abi.ToolsDescription
	if err := json.Unmarshal(readFile(t, filepath.Join(i.Dir, capsule.ToolsName)), &d); err != nil || len(d.Tools) != 2 || d.Tools[0].Name != "demo" && d.Tools[1].Name != "demo" {
		t.Errorf("tools %+v, %v", d, err)
	}
	for name, tt := range map[string]struct{ more, want string }{
		"no way to a tool":    {"", `tool demo has no [[interceptor]]`},
		"a way to no tool":    {demo + strings.ReplaceAll(demo, "demo", "other"), "leads to a tool other that the capsule does not have"},
		"a file of that name": {demo + "[[skill]]\nname = \"s\"\nfile = \"tools.json\"\n", "is made by the build"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Build(context.Background(), Options{Dir: writeProject(t, map[string]string{"Capsule.toml": head + tt.more, "g.wasm": wasm, "tools.json": "{}"})})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// Without cargo, or without its target, the text says what to install; with both a crate is built.
func TestBuildRust(t *testing.T) {
	const manifest = "[package]\nname = \"crab\"\nversion = \"1.0.0\"\n[[component]]\nfile = \"crab.wasm\"\n"
	dir := writeProject(t, map[string]string{
		"Capsule.toml": manifest,
		"Cargo.toml":   "[package]\nname = \"crab\"\nversion = \"1.0.0\"\nedition = \"2021\"\n[lib]\ncrate-type = [\"cdylib\"]\n",
		"src/lib.rs":   "#[no_mangle]\npub extern \"C\" fn astrid_hook_trigger(n: i32) -> i64 { if n == 7 { panic!(\"seven\") } 0 }\n",
	})
	_, err := Build(context.Background(), Options{Dir: dir})
	if _, lerr := exec.LookPath("cargo"); lerr == nil {
		if _, terr := rustTarget(context.Background(), dir); terr == nil {
			if err != nil {
				t.Fatal(err)
			}
			// Elsewhere, and where the path has blanks, it is the same to the byte.
			other := filepath.Join(t.TempDir(), "two words")
			if err := os.CopyFS(other, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			first := readFile(t, filepath.Join(dir, "dist", "crab.capsule"))
			if err := os.RemoveAll(filepath.Join(other, "dist")); err != nil {
				t.Fatal(err)
			}
			if _, err := Build(context.Background(), Options{Dir: other}); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(first, readFile(t, filepath.Join(other, "dist", "crab.capsule"))) {
				t.Error("two folders gave two archives")
			}
			if wasm := wasmOf(t, first); bytes.Contains(wasm, []byte(dir)) || !bytes.Contains(wasm, []byte("src/lib.rs")) {
				t.Error("the module names the folder in which it was built")
			}
		} else if err == nil || !strings.Contains(err.Error(), "rustup target add wasm32-wasip1") {
			t.Errorf("without the target: %v", err)
		}
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := Build(context.Background(), Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "cargo is not installed") {
		t.Errorf("without cargo: %v", err)
	}
}

// wasmOf is the module in an archive.
func wasmOf(t *testing.T, archive []byte) []byte {
	t.Helper()
	s := store.Store{Dir: t.TempDir(), BinDir: t.TempDir()}
	path := filepath.Join(t.TempDir(), "x.capsule")
	if err := os.WriteFile(path, archive, 0o600); err != nil {
		t.Fatal(err)
	}
	i, err := s.InstallPath(context.Background(), path, store.InstallOptions{})
	if err != nil {
		t.Fatal(err)
	}
	wasm, err := store.VerifyBinary(i.Dir, i.Manifest, i.Meta, s.BinDir)
	if err != nil {
		t.Fatal(err)
	}
	return wasm
}

func TestRustModule(t *testing.T) {
	a, b := filepath.Join(t.TempDir(), "a.wasm"), filepath.Join(t.TempDir(), "b.wasm")
	for _, p := range []string{a, b} {
		if err := os.WriteFile(p, []byte(filepath.Base(p)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	artifact := func(path string) string { return `{"reason":"compiler-artifact","filenames":["` + path + `"]}` + "\n" }
	for name, tt := range map[string]struct{ out, want string }{
		"one":            {artifact(a) + `{"reason":"build-finished"}`, "a.wasm"},
		"the named one":  {artifact(a) + artifact(b), "b.wasm"},
		"none":           {`{"reason":"build-finished"}`, ""},
		"not the format": {"warning: x", ""},
	} {
		got, err := rustModule(strings.NewReader(tt.out), "b.wasm")
		if string(got) != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
