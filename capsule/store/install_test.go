package store

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/capsule"
)

func TestInstallRecordsEverything(t *testing.T) {
	f := newFixture(t)
	files := map[string]string{
		"Capsule.toml": manifest("demo", "1.2.0", `
[exports.astrid]
tool = "1.0.0"
[[topic]]
name = "demo.v1.event"
direction = "publish"
schema = "schemas/event.json"
`),
		"main.wasm": "binary", "schemas/event.json": `{"type": "object"}`, "wit/tool.wit": "package x;",
		".git/config": "no", "target/x": "no", "dist/x": "no", "sub/dist/x": "yes", ".env.json": `{"k":"v"}`, "meta.json": "stale",
	}
	dir := f.dir(files)
	if err := os.Chmod(filepath.Join(dir, "sub/dist/x"), 0o755); err != nil {
		t.Fatal(err)
	}
	got, err := f.InstallPath(context.Background(), dir, InstallOptions{Source: "@org/demo"})
	if err != nil {
		t.Fatal(err)
	}
	m := got.Meta
	if m.Version != "1.2.0" || m.Source != "@org/demo" || !m.InstalledAt.Equal(start) || !m.UpdatedAt.Equal(start) {
		t.Errorf("meta: %+v", m)
	}
	if m.WasmHash != capsule.Hash([]byte("binary")) {
		t.Errorf("wasm hash %s", m.WasmHash)
	}
	if m.Exports["astrid"]["tool"] != "1.0.0" {
		t.Errorf("exports %v", m.Exports)
	}
	if len(m.Topics) != 1 || !strings.Contains(string(m.Topics[0].Schema), "object") {
		t.Errorf("topics %+v", m.Topics)
	}
	if len(m.Files) != 4 || m.Files["sub/dist/x"] != capsule.Hash([]byte("yes")) || m.Files["Capsule.toml"] != got.Manifest.Hash {
		t.Errorf("files %v", m.Files)
	}
	modes := map[string]os.FileMode{
		filepath.Join(f.BinDir, m.WasmHash+".wasm"):            0o600,
		filepath.Join(f.WitDir, m.WitFiles["tool.wit"]+".wit"): 0o600,
		f.BinDir: 0o700, got.Dir: 0o700,
		filepath.Join(got.Dir, "meta.json"):    0o600,
		filepath.Join(got.Dir, "Capsule.toml"): 0o600,
		filepath.Join(got.Dir, "sub/dist/x"):   0o700,
	}
	for path, want := range modes {
		info, err := os.Stat(path)
		if err != nil {
			t.Error(err)
		} else if info.Mode().Perm() != want {
			t.Errorf("%s has mode %o, want %o", path, info.Mode().Perm(), want)
		}
	}
	for _, gone := range []string{"main.wasm", ".git", "target", "dist", ".env.json"} {
		if _, err := os.Lstat(filepath.Join(got.Dir, gone)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is installed", gone)
		}
	}
	if err := f.Verify("demo"); err != nil {
		t.Error(err)
	}
}

func TestInstallUpgradeKeepsFirstTimeAndSource(t *testing.T) {
	f := newFixture(t)
	var phases []string
	f.Hook = func(_ context.Context, h Hook) error {
		phases = append(phases, string(h.Phase)+" "+h.Previous)
		return nil
	}
	first := f.dir(map[string]string{"Capsule.toml": manifest("demo", "1.0.0", ""), "main.wasm": "one", "old.txt": "x"})
	if _, err := f.InstallPath(context.Background(), first, InstallOptions{Source: "@org/demo"}); err != nil {
		t.Fatal(err)
	}
	f.time = start.Add(time.Hour)
	i := f.mustInstall(map[string]string{"Capsule.toml": manifest("demo", "1.1.0", ""), "main.wasm": "two"})
	if !i.Meta.InstalledAt.Equal(start) || !i.Meta.UpdatedAt.Equal(f.time) || i.Meta.Source != "@org/demo" || i.Version() != "1.1.0" {
		t.Errorf("meta %+v", i.Meta)
	}
	if _, err := os.Stat(filepath.Join(i.Dir, "old.txt")); !errors.Is(err, os.ErrNotExist) {
		t.Error("a file of the previous version is still there")
	}
	if got := strings.Join(phases, ","); got != "install ,upgrade 1.0.0" {
		t.Errorf("hooks ran as %q", got)
	}
	if entries, _ := os.ReadDir(f.Dir); len(entries) != 2 { // demo and .lock
		t.Errorf("leftovers: %v", entries)
	}
}

// Every failure leaves the store as it was before.
func TestInstallFailureChangesNothing(t *testing.T) {
	boom := errors.New("boom")
	good := map[string]string{"Capsule.toml": manifest("demo", "2.0.0", ""), "main.wasm": "new"}
	with := func(name, content string) map[string]string {
		out := map[string]string{name: content}
		for k, v := range good {
			if _, ok := out[k]; !ok {
				out[k] = v
			}
		}
		return out
	}
	tests := []struct {
		name  string
		files map[string]string
		setup func(*fixture)
		opts  InstallOptions
		want  error
		text  string
	}{
		{name: "consent", files: good, want: boom, setup: func(f *fixture) {
			f.Consent = func(_ context.Context, next, previous *capsule.Manifest) error {
				if next.Package.Version.String() != "2.0.0" || previous == nil || previous.Package.Version.String() != "1.0.0" {
					return nil // a wrong call shows as a missing error
				}
				return boom
			}
		}},
		{name: "hook", files: good, want: boom, text: "upgrade hook of demo", setup: func(f *fixture) {
			f.Hook = func(context.Context, Hook) error { return boom }
		}},
		{name: "prepare", files: good, want: boom, setup: func(f *fixture) {
			f.Prepare = func(context.Context, *capsule.Manifest, []byte) error { return boom }
		}},
		{name: "hook adds a file", files: good, want: ErrMalicious, text: "evil.sh", setup: func(f *fixture) {
			f.Hook = func(_ context.Context, h Hook) error {
				return os.WriteFile(filepath.Join(h.Dir, "evil.sh"), nil, 0o700)
			}
		}},
		{name: "hook widens the manifest", files: good, want: ErrMalicious, text: "Capsule.toml", setup: func(f *fixture) {
			f.Hook = func(_ context.Context, h Hook) error {
				return os.WriteFile(filepath.Join(h.Dir, "Capsule.toml"), []byte(manifest("demo", "2.0.0", "[capabilities]\nnet = [\"*\"]\n")), 0o600)
			}
		}},
		{name: "no manifest", files: map[string]string{"main.wasm": "x"}, want: ErrBadPackage, text: "no Capsule.toml"},
		{name: "bad manifest", files: with("Capsule.toml", manifest("demo", "2.0.0", "[typo]\n")), want: ErrBadPackage, text: "Capsule.toml:6: typo: unknown key"},
		{name: "name leads outside", files: with("Capsule.toml", manifest("../x", "2.0.0", "")), want: ErrBadPackage, text: "a-z"},
		{name: "component missing", files: map[string]string{"Capsule.toml": good["Capsule.toml"]}, want: ErrBadPackage, text: "main.wasm"},
		{name: "declared hash differs", files: with("Capsule.toml", manifest("demo", "2.0.0", "hash = \"00ff\"\n")), want: ErrIntegrity, text: "00ff"},
		{name: "schema missing", files: with("Capsule.toml", manifest("demo", "2.0.0", "[[topic]]\nname = \"a.b\"\ndirection = \"publish\"\nschema = \"s.json\"\n")), want: os.ErrNotExist, text: "a.b"},
		{name: "schema not JSON", files: func() map[string]string {
			out := with("s.json", "{")
			out["Capsule.toml"] = manifest("demo", "2.0.0", "[[topic]]\nname = \"a.b\"\ndirection = \"publish\"\nschema = \"s.json\"\n")
			return out
		}(), want: ErrBadPackage},
		{name: "other name expected", files: good, opts: InstallOptions{Name: "other"}, want: ErrBadPackage, text: "other"},
		{name: "other version expected", files: good, opts: InstallOptions{Version: "2.0.1"}, want: ErrBadPackage},
		{name: "other manifest expected", files: good, opts: InstallOptions{ManifestHash: capsule.Hash(nil)}, want: ErrIntegrity, text: "agreed"},
		{name: "other binary expected", files: good, opts: InstallOptions{WasmHash: capsule.Hash(nil)}, want: ErrIntegrity, text: capsule.Hash([]byte("new"))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			f.mustInstall(map[string]string{"Capsule.toml": manifest("demo", "1.0.0", ""), "main.wasm": "old"})
			if tt.setup != nil {
				tt.setup(f)
			}
			before := f.snapshot()
			_, err := f.InstallPath(context.Background(), f.dir(tt.files), tt.opts)
			if !errors.Is(err, tt.want) {
				t.Fatalf("error %v, want %v", err, tt.want)
			}
			if !strings.Contains(err.Error(), tt.text) {
				t.Errorf("error %q does not mention %q", err, tt.text)
			}
			f.mustBeUnchanged(before)
			if err := f.Verify("demo"); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestInstallCancelled(t *testing.T) {
	f := newFixture(t)
	ctx, cancel := context.WithCancel(context.Background())
	f.Prepare = func(context.Context, *capsule.Manifest, []byte) error { cancel(); return nil }
	dir := f.dir(map[string]string{"Capsule.toml": manifest("demo", "1.0.0", ""), "main.wasm": "x"})
	if _, err := f.InstallPath(ctx, dir, InstallOptions{}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if _, err := f.Get("demo"); !errors.Is(err, ErrNotInstalled) {
		t.Error(err)
	}
}

func TestInstallSource(t *testing.T) {
	f := newFixture(t)
	dir := f.dir(map[string]string{"x.wasm": "\x00asm", "demo.capsule": "not gzip"})
	for name, want := range map[string]string{"x.wasm": "want a directory", "demo.capsule": "not a gzip"} {
		if _, err := f.InstallPath(context.Background(), filepath.Join(dir, name), InstallOptions{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := f.InstallPath(context.Background(), filepath.Join(dir, "absent"), InstallOptions{}); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	packed := archive(t,
		header{name: "./", kind: '5'}, header{name: "./Capsule.toml", body: manifest("demo", "1.0.0", "")},
		header{name: "./main.wasm", body: "x"}, header{name: "bin/", kind: '5'}, header{name: "bin/run", body: "#!", mode: 0o6755})
	i, err := f.InstallArchive(context.Background(), bytes.NewReader(packed), InstallOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(i.Dir, "bin/run")); err != nil || info.Mode() != 0o700 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

// A copy of a directory never follows links out of it.
func TestInstallDirectoryWithLinks(t *testing.T) {
	f := newFixture(t)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("key"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"file": secret, "dir": filepath.Dir(secret), "loop": ".", "gone": "/nowhere", "inside": "main.wasm"} {
		dir := f.dir(map[string]string{"Capsule.toml": manifest("demo", "1.0.0", ""), "main.wasm": "x"})
		if err := os.Symlink(target, filepath.Join(dir, "link")); err != nil {
			t.Fatal(err)
		}
		if _, err := f.InstallPath(context.Background(), dir, InstallOptions{}); !errors.Is(err, ErrMalicious) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if all, _ := f.List(); len(all) != 0 {
		t.Errorf("installed: %v", all)
	}
}

func TestInspect(t *testing.T) {
	f := newFixture(t)
	dir := f.dir(map[string]string{"Capsule.toml": manifest("demo", "1.2.0", "")})
	if m, _, err := InspectPath(dir); err != nil || m.ID() != "demo" {
		t.Errorf("directory: %v", err)
	}
	path := filepath.Join(dir, "demo.capsule")
	write(t, path, string(archive(t, goodManifest, goodWasm)))
	if m, _, err := InspectPath(path); err != nil || m.ID() != "demo" {
		t.Errorf("archive: %v", err)
	}
	if _, _, err := InspectArchive(bytes.NewReader(archive(t, goodManifest, header{name: "../x"}))); !errors.Is(err, ErrMalicious) {
		t.Errorf("hostile archive: %v", err)
	}
	if _, _, err := InspectArchive(bytes.NewReader(archive(t, goodWasm))); !errors.Is(err, ErrBadPackage) {
		t.Errorf("no manifest: %v", err)
	}
	if _, _, err := InspectPath(filepath.Join(dir, "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
}
