package capsule

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestMetaRoundTrip(t *testing.T) {
	dir := t.TempDir()
	meta := NewMeta(parseFile(t, "complete.toml"))
	meta.InstalledAt = time.Date(2026, 3, 24, 10, 11, 12, 123456789, time.UTC)
	meta.UpdatedAt = meta.InstalledAt.Add(time.Second)
	meta.Source, meta.WasmHash = "@org/demo", Hash(nil)
	meta.Files = map[string]string{"Capsule.toml": Hash([]byte("x"))}
	meta.Topics = []MetaTopic{{Name: "a.b", Direction: "publish", Schema: []byte(`{"a": "<b>"}`)}}
	if meta.Imports["astrid"]["session"] != "^1.0" || !slices.Equal(meta.Optional["astrid"], []string{"session"}) || meta.Exports["astrid"]["tool"] != "1.0.0" {
		t.Errorf("%+v", meta)
	}
	if err := SaveMeta(dir, meta); err != nil {
		t.Fatal(err)
	}
	first, _ := os.ReadFile(filepath.Join(dir, MetaName))
	if info, _ := os.Stat(filepath.Join(dir, MetaName)); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %o", info.Mode())
	}
	if text := string(first); strings.HasSuffix(text, "\n") || !strings.Contains(text, "\n  \"version\"") || !strings.Contains(text, "<b>") {
		t.Errorf("wrote %s", text)
	}
	got, err := LoadMeta(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := SaveMeta(dir, got); err != nil {
		t.Fatal(err)
	}
	second, _ := os.ReadFile(filepath.Join(dir, MetaName))
	if string(first) != string(second) {
		t.Errorf("rewritten as\n%s\nfrom\n%s", second, first)
	}
	if !got.InstalledAt.Equal(meta.InstalledAt) || !reflect.DeepEqual(got.Files, meta.Files) {
		t.Errorf("%+v", got)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("leftovers %v", entries)
	}
}

// Records written by v0.5.0 have numeric offsets and fields that are gone.
func TestLoadMetaOfTheEra(t *testing.T) {
	dir := t.TempDir()
	text := `{"version":"0.1.0","installed_at":"2026-03-24T10:11:12.123456789+00:00","updated_at":"2026-03-24T10:11:12+00:00","provides":["x"],"wasm_hash":"` + Hash(nil) + `"}`
	writeFile(t, filepath.Join(dir, MetaName), text)
	meta, err := LoadMeta(dir)
	if err != nil || meta.WasmHash != Hash(nil) || meta.InstalledAt.Nanosecond() != 123456789 {
		t.Errorf("%+v %v", meta, err)
	}
}

func TestLoadMetaRefuses(t *testing.T) {
	const times = `"installed_at":"2026-03-24T10:11:12Z","updated_at":"2026-03-24T10:11:12Z"`
	for name, text := range map[string]string{
		"empty": "", "cut": `{"version":`, "array": "[]", "no version": `{` + times + `}`, "no times": `{"version":"1.0.0"}`,
		"short hash":           `{"version":"1.0.0",` + times + `,"wasm_hash":"ab"}`,
		"hash that is a path":  `{"version":"1.0.0",` + times + `,"wasm_hash":"../../../../../../../../../../../../../../../../../../../etc/xx"}`,
		"hash in upper case":   `{"version":"1.0.0",` + times + `,"wasm_hash":"` + strings.ToUpper(Hash(nil)) + `"}`,
		"hash of another type": `{"version":"1.0.0",` + times + `,"wasm_hash":1}`,
	} {
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, MetaName), text)
		if _, err := LoadMeta(dir); err == nil || errors.Is(err, ErrNotInstalled) || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := LoadMeta(t.TempDir()); !errors.Is(err, ErrNotInstalled) {
		t.Error(err)
	}
	// A pipe under the name must not hang the reader.
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, MetaName), 0o600); err != nil {
		t.Skip(err)
	}
	if _, err := LoadMeta(dir); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Error(err)
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestWriteFileAtomicKeepsTheOldOnFailure(t *testing.T) {
	dir := t.TempDir()
	if err := WriteFileAtomic(filepath.Join(dir, "absent", "f"), nil, 0o600); err == nil {
		t.Error("wrote into a directory that does not exist")
	}
	target := filepath.Join(dir, "f")
	if err := os.MkdirAll(filepath.Join(target, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := WriteFileAtomic(target, []byte("x"), 0o600); err == nil {
		t.Error("replaced a directory")
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("leftovers %v", entries)
	}
}

func TestEnvFile(t *testing.T) {
	home := t.TempDir()
	path := EnvPath(home, "demo")
	if path != filepath.Join(home, ".config", "env", "demo.env.json") {
		t.Error(path)
	}
	if env, err := LoadEnv(path); err != nil || len(env) != 0 || env == nil {
		t.Errorf("absent: %v %v", env, err)
	}
	want := map[string]string{"key": "s<>&", "empty": ""}
	if err := SaveEnv(path, want); err != nil {
		t.Fatal(err)
	}
	if err := SaveEnv(path, want); err != nil {
		t.Fatal(err)
	}
	got, err := LoadEnv(path)
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("%v %v", got, err)
	}
	for p, mode := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if info, err := os.Stat(p); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s has mode %v, want %o", p, info.Mode(), mode)
		}
	}
	for name, text := range map[string]string{"empty": "", "cut": "{", "array": "[]", "null": "null", "number": `{"ok":"1","key":"hunter2","n":2}`, "null value": `{"n":null}`, "nested": `{"n":{}}`} {
		writeFile(t, path, text)
		_, err := LoadEnv(path)
		if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestResolveEnv(t *testing.T) {
	m := mustParse(t, `[package]
name = "a"
version = "1.0.0"
[env]
plain = { type = "string" }
default = { type = "string", default = "d" }
number = { type = "integer", default = 3 }
choice = { type = "string", enum_values = ["x", "y"], default = "y" }
open = { type = "string", enum_values = ["x", "y"] }
single = { type = "string", enum_values = ["only"] }
secret = { type = "secret" }
list = { type = "array", default = ["a", "b"] }
`)
	resolved, missing, err := m.ResolveEnv(map[string]string{"default": "", "unknown": "x", "secret": "s"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"plain": "", "default": "d", "number": "3", "choice": "y", "open": "", "single": "only", "secret": "s", "list": `["a","b"]`}
	if !maps.Equal(resolved, want) || !slices.Equal(missing, []string{"open", "plain"}) {
		t.Errorf("%v, missing %v", resolved, missing)
	}
	for key, bad := range map[string]string{"choice": "hunter2", "list": "hunter2"} {
		if _, _, err := m.ResolveEnv(map[string]string{key: bad}); err == nil || !strings.Contains(err.Error(), key) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", key, err)
		}
	}
	if got := m.Env["plain"].Prompt("plain"); got != "Please enter value for plain" {
		t.Error(got)
	}
}

func TestDiscover(t *testing.T) {
	root := t.TempDir()
	user, workspace := filepath.Join(root, "user"), filepath.Join(root, "workspace")
	good := func(name string) string { return "[package]\nname = \"" + name + "\"\nversion = \"1.0.0\"\n" }
	for path, text := range map[string]string{
		"user/b/Capsule.toml": good("b"), "user/a/Capsule.toml": good("a"), "user/.staging-1/Capsule.toml": good("hidden"),
		"user/wrong/Capsule.toml": good("right"), "user/empty/readme": "", "user/bad/Capsule.toml": "x =", "user/file": "",
		"user/Capsule.toml": good("user"), "workspace/a/Capsule.toml": good("a"),
	} {
		writeFile(t, filepath.Join(root, path), text)
	}
	if err := os.Symlink(filepath.Join(workspace, "a"), filepath.Join(user, "link")); err != nil {
		t.Fatal(err)
	}
	d := Discover(user, filepath.Join(root, "absent"), workspace)
	if got := names(d.Manifests); got != "a b a" {
		t.Errorf("found %s", got)
	}
	want := map[string]string{"user": "move it to one of its own", "user/wrong": `called "right"`, "user/empty": "no Capsule.toml", "user/bad": "Capsule.toml:1", "user/link": "symbolic link"}
	for _, p := range d.Problems {
		rel, _ := filepath.Rel(root, p.Dir)
		if want[rel] == "" || !strings.Contains(p.Error(), want[rel]) {
			t.Errorf("problem %v, want %q", p, want[rel])
		}
		delete(want, rel)
	}
	if len(want) > 0 {
		t.Errorf("not reported: %v", want)
	}
	if p := Resolve(d.Manifests); names(p.Order) != "a b" || !strings.Contains(p.Refused[0].Reason, filepath.Join(workspace, "a")) {
		t.Errorf("%+v", p.Refused)
	}
	if d := Discover(filepath.Join(user, "file")); len(d.Problems) != 1 {
		t.Errorf("a file as a directory: %+v", d)
	}
}

func FuzzLoadEnv(f *testing.F) {
	f.Add([]byte(`{"a":"b"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "x.env.json")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		env, err := LoadEnv(path)
		if err != nil {
			return
		}
		if err := SaveEnv(path, env); err != nil {
			t.Fatal(err)
		}
		if again, err := LoadEnv(path); err != nil || !maps.Equal(env, again) {
			t.Fatalf("%v became %v: %v", env, again, err)
		}
	})
}
