package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/capsule"
)

func TestVerifyFindsEveryChange(t *testing.T) {
	changes := map[string]func(t *testing.T, f *fixture, i Installed){
		"binary": func(t *testing.T, f *fixture, i Installed) {
			write(t, filepath.Join(f.BinDir, i.Meta.WasmHash+".wasm"), "evil")
		},
		"binary gone": func(t *testing.T, f *fixture, i Installed) {
			if err := os.RemoveAll(f.BinDir); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(f.BinDir, 0o700); err != nil {
				t.Fatal(err)
			}
		},
		"binary put beside the manifest": func(t *testing.T, f *fixture, i Installed) {
			write(t, filepath.Join(i.Dir, "main.wasm"), "evil")
		},
		"binary is a link": func(t *testing.T, f *fixture, i Installed) {
			path := filepath.Join(f.BinDir, i.Meta.WasmHash+".wasm")
			write(t, path+".copy", "binary")
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(path+".copy", path); err != nil {
				t.Fatal(err)
			}
		},
		"manifest": func(t *testing.T, f *fixture, i Installed) {
			write(t, filepath.Join(i.Dir, "Capsule.toml"), manifest("demo", "1.0.0", "[capabilities]\nnet = [\"*\"]\n"))
		},
		"script": func(t *testing.T, f *fixture, i Installed) { write(t, filepath.Join(i.Dir, "run.sh"), "evil") },
		"added":  func(t *testing.T, f *fixture, i Installed) { write(t, filepath.Join(i.Dir, "more"), "evil") },
		"gone": func(t *testing.T, f *fixture, i Installed) {
			if err := os.Remove(filepath.Join(i.Dir, "run.sh")); err != nil {
				t.Fatal(err)
			}
		},
		"no hashes": func(t *testing.T, f *fixture, i Installed) {
			i.Meta.Files = nil
			if err := capsule.SaveMeta(i.Dir, i.Meta); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			i := f.mustInstall(map[string]string{"Capsule.toml": manifest("demo", "1.0.0", ""), "main.wasm": "binary", "run.sh": "ok"})
			if err := f.Verify("demo"); err != nil {
				t.Fatal(err)
			}
			change(t, f, i)
			if err := f.Verify("demo"); err == nil || !errors.Is(err, ErrIntegrity) && !errors.Is(err, ErrMalicious) {
				t.Errorf("not found: %v", err)
			}
		})
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestVerifyBinary(t *testing.T) {
	good, other := capsule.Hash([]byte("binary")), capsule.Hash([]byte("other"))
	tests := []struct {
		name  string
		local string // beside the manifest; "" for none
		bin   bool
		hash  string // in meta.json
		more  string // in the manifest
		want  string // "" loads
	}{
		{name: "from bin", bin: true, hash: good},
		{name: "local", local: "binary", hash: good},
		{name: "local wins and is wrong", local: "other", bin: true, hash: good, want: other + ", meta.json records " + good},
		{name: "no hash", local: "binary", want: good + " and meta.json records none"},
		{name: "wrong hash", local: "binary", hash: other, want: good + ", meta.json records " + other},
		{name: "nowhere", hash: good, want: "is gone"},
		{name: "nowhere and no hash", want: "records no hash"},
		{name: "hash that is a path", hash: "../../evil", want: "records no hash"},
		{name: "declared", bin: true, hash: good, more: "hash = \"blake3:" + strings.ToUpper(good) + "\"\n"},
		{name: "declared otherwise", bin: true, hash: good, more: "hash = \"" + other + "\"\n", want: "the manifest declares " + other},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir, bin := t.TempDir(), t.TempDir()
			m, err := capsule.ParseManifest(filepath.Join(dir, "Capsule.toml"), []byte(manifest("demo", "1.0.0", tt.more)))
			if err != nil {
				t.Fatal(err)
			}
			if tt.local != "" {
				write(t, filepath.Join(dir, "main.wasm"), tt.local)
			}
			if tt.bin {
				write(t, filepath.Join(bin, good+".wasm"), "binary")
			}
			data, err := VerifyBinary(dir, m, &capsule.Meta{WasmHash: tt.hash}, bin)
			if tt.want == "" {
				if err != nil || string(data) != "binary" {
					t.Fatalf("%q %v", data, err)
				}
				return
			}
			if !errors.Is(err, ErrIntegrity) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want it to mention %q", err, tt.want)
			}
			if _, err := VerifyBinary(dir, m, nil, bin); !errors.Is(err, ErrIntegrity) {
				t.Errorf("without a record: %v", err)
			}
		})
	}
}

// A manifest that was widened after installation does not load, even when the binary is the right one.
func TestVerifyBinaryChecksTheManifest(t *testing.T) {
	f := newFixture(t)
	i := f.mustInstall(map[string]string{"Capsule.toml": manifest("demo", "1.0.0", ""), "main.wasm": "binary"})
	if _, err := VerifyBinary(i.Dir, i.Manifest, i.Meta, f.BinDir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(i.Dir, "Capsule.toml")
	write(t, path, manifest("demo", "1.0.0", "[capabilities]\nnet = [\"*\"]\n"))
	m, err := capsule.LoadManifest(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = VerifyBinary(i.Dir, m, i.Meta, f.BinDir)
	if !errors.Is(err, ErrIntegrity) || !strings.Contains(err.Error(), i.Manifest.Hash) || !strings.Contains(err.Error(), m.Hash) {
		t.Errorf("loaded: %v", err)
	}
}

func TestVerifyBinaryWithoutComponent(t *testing.T) {
	m, err := capsule.ParseManifest("Capsule.toml", []byte("[package]\nname = \"demo\"\nversion = \"1.0.0\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := VerifyBinary(t.TempDir(), m, &capsule.Meta{}, t.TempDir()); !errors.Is(err, ErrBadPackage) {
		t.Error(err)
	}
}
