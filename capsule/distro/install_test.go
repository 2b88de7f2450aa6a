package distro

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/capsule/store"
)

func manifestOf(name, more string) string {
	return "[package]\nname = \"" + name + "\"\nversion = \"0.1.0\"\n[[component]]\nfile = \"x.wasm\"\n" + more
}

const llmTables = "[exports.astrid]\nllm = \"1.0.0\"\n[env]\napi_key = { type = \"secret\" }\nbase_url = { type = \"string\" }\n" +
	"mode = { type = \"string\" }\ntemperature = { type = \"string\", default = \"1\" }\n"
const userTables = "[imports.astrid]\nllm = \"^1\"\n[env]\ngreeting = { type = \"string\" }\n"

func archiveOf(t *testing.T, manifest, wasm string) *fstest.MapFile {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, f := range [][2]string{{"Capsule.toml", manifest}, {"x.wasm", wasm}} {
		if err := w.WriteHeader(&tar.Header{Name: f[0], Typeflag: tar.TypeReg, Size: int64(len(f[1])), Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(f[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return &fstest.MapFile{Data: b.Bytes()}
}

// home is a principal's home with a distro to install into it. "user" lies in a directory beside the
// Distro.toml, the others are archives.
type home struct {
	Options
	t        *testing.T
	dir      string
	archives fstest.MapFS
	userDir  string
}

func newHome(t *testing.T) *home {
	t.Helper()
	h := &home{t: t, dir: t.TempDir(), archives: fstest.MapFS{
		"cli.capsule":       archiveOf(t, manifestOf("cli", "[capabilities]\nuplink = true\n"), "cli"),
		"my-llm.capsule":    archiveOf(t, manifestOf("my-llm", llmTables), "my"),
		"other-llm.capsule": archiveOf(t, manifestOf("other-llm", llmTables), "other"),
	}}
	h.userDir = filepath.Join(t.TempDir(), "user")
	h.writeUser(manifestOf("user", userTables))
	h.Options = Options{
		Manifest: mini(t),
		Answers:  Answers{Variables: map[string]string{"key": "secret"}},
		Source:   First(Archives(h.archives), Directory(filepath.Dir(h.userDir))),
		Store:    &store.Store{Dir: filepath.Join(h.dir, "capsules"), BinDir: filepath.Join(h.dir, "bin")},
		Settings: capsule.Settings{Principal: "default", Home: h.dir, Secrets: memSecrets{}},
		LockPath: filepath.Join(h.dir, ".config", LockName),
		Now:      func() time.Time { return time.Date(2026, 3, 24, 10, 11, 12, 5, time.UTC) },
	}
	return h
}

func (h *home) writeUser(manifest string) {
	h.t.Helper()
	err := errors.Join(os.MkdirAll(h.userDir, 0o755),
		os.WriteFile(filepath.Join(h.userDir, "Capsule.toml"), []byte(manifest), 0o644),
		os.WriteFile(filepath.Join(h.userDir, "x.wasm"), []byte("user"), 0o644))
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *home) env(name string) map[string]string {
	h.t.Helper()
	i, err := h.Store.Get(name)
	if err != nil {
		h.t.Fatal(err)
	}
	env, err := h.Settings.Load(i.Manifest)
	if err != nil {
		h.t.Fatal(err)
	}
	return env
}

// memSecrets keeps secrets in memory.
type memSecrets map[[3]string]string

func (m memSecrets) Get(p, c, n string) (string, error) {
	v, ok := m[[3]string{p, c, n}]
	if !ok {
		return "", fs.ErrNotExist
	}
	return v, nil
}

func (m memSecrets) Set(p, c, n, v string) error {
	m[[3]string{p, c, n}] = v
	return nil
}

func (m memSecrets) Delete(p, c, n string) error {
	delete(m, [3]string{p, c, n})
	return nil
}

func TestInstall(t *testing.T) {
	h := newHome(t)
	var seen []string
	h.Progress = func(done, total int, name string) { seen = append(seen, name) }
	var err error
	if h.Agreed, err = Preview(context.Background(), h.Options); err != nil {
		t.Fatal(err)
	}
	r, err := Install(context.Background(), h.Options)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(seen, []string{"cli", "my-llm", "user"}) || len(r.Installed) != 3 {
		t.Errorf("installed %v", seen)
	}
	want := map[string]string{"api_key": "secret", "base_url": "https://example.invalid", "mode": "fast"}
	if got := h.env("my-llm"); !maps.Equal(got, want) {
		t.Errorf("env %v", got)
	}
	if got := h.env("user"); got["greeting"] != "to https://example.invalid" {
		t.Errorf("env %v", got)
	}
	l, err := LoadLock(h.LockPath)
	if err != nil || !l.Fresh(h.Manifest) || l.Distro.ResolvedAt != "2026-03-24T10:11:12.000000005+00:00" {
		t.Fatalf("%+v %v", l, err)
	}
	e, _ := l.Find("my-llm")
	if e != (LockEntry{"my-llm", "0.1.0", "@example/my-llm", "blake3:" + capsule.Hash([]byte("my"))}) {
		t.Errorf("%+v", e)
	}
	first, _ := os.ReadFile(h.LockPath)

	// A second run without answers keeps the user's settings, adds what is new and writes the same lock.
	if err := capsule.SaveEnv(capsule.EnvPath(h.dir, "my-llm"), map[string]string{"api_key": "mine", "mode": ""}); err != nil {
		t.Fatal(err)
	}
	answers := h.Answers.Variables
	h.Answers.Variables = nil
	if _, err := Install(context.Background(), h.Options); err != nil {
		t.Fatal(err)
	}
	want["api_key"] = "mine"
	if got := h.env("my-llm"); !maps.Equal(got, want) {
		t.Errorf("env after the second run %v", got)
	}
	if second, _ := os.ReadFile(h.LockPath); !bytes.Equal(first, second) {
		t.Errorf("the lock changed:\n%s", second)
	}

	// Who answers again means it.
	h.Answers.Variables = answers
	if _, err := Install(context.Background(), h.Options); err != nil {
		t.Fatal(err)
	}
	want["api_key"] = "secret"
	if got := h.env("my-llm"); !maps.Equal(got, want) {
		t.Errorf("env after the third run %v", got)
	}
	all, err := h.Store.List()
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := l.Refresh(all, h.Now())
	if err != nil || len(fresh.Capsules) != 3 || fresh.Capsules[1] != e {
		t.Errorf("%+v %v", fresh, err)
	}
}

// Whatever goes wrong, no lock is written: a lock means that the whole works.
func TestInstallFailureWritesNoLock(t *testing.T) {
	tests := map[string]struct {
		setup func(*home)
		want  string
	}{
		"package missing": {func(h *home) { delete(h.archives, "cli.capsule") }, "cli: no source"},
		"package damaged": {func(h *home) { h.archives["cli.capsule"].Data = []byte("junk") }, "not a gzip"},
		"other name":      {func(h *home) { h.archives["cli.capsule"] = archiveOf(h.t, manifestOf("clj", ""), "x") }, `"cli" was expected`},
		"other version": {func(h *home) {
			h.archives["cli.capsule"] = archiveOf(h.t, strings.Replace(manifestOf("cli", ""), "0.1.0", "0.2.0", 1), "x")
		}, "0.1.0 was expected"},
		"would not load": {func(h *home) {
			h.writeUser(manifestOf("user", strings.Replace(userTables, "^1", "^2", 1)))
		}, "user: it would not load: it needs astrid/llm ^2"},
		"requirement": {func(h *home) {
			h.archives["my-llm.capsule"] = archiveOf(h.t, manifestOf("my-llm", strings.Replace(llmTables, "1.0.0", "3.0.0", 1)), "x")
			h.writeUser(manifestOf("user", "[env]\ngreeting = { type = \"string\" }\n"))
		}, "no installed capsule provides astrid/llm ^1.0"},
		"undeclared env": {func(h *home) { h.writeUser(manifestOf("user", "")) }, `"greeting", which the capsule does not declare`},
		"pinned otherwise": {func(h *home) {
			h.Pin = &Lock{Capsules: []LockEntry{{Name: "cli", Hash: "blake3:" + capsule.Hash([]byte("older"))}}}
		}, capsule.Hash([]byte("older")) + " was expected"},
		"other manifest than shown": {func(h *home) {
			var err error
			if h.Agreed, err = Preview(context.Background(), h.Options); err != nil {
				h.t.Fatal(err)
			}
			h.archives["cli.capsule"] = archiveOf(h.t, manifestOf("cli", "[capabilities]\nuplink = true\nnet = [\"*\"]\n"), "cli")
		}, "is not the one that was agreed to"},
		"consent refused": {func(h *home) {
			h.Store.Consent = func(_ context.Context, next, _ *capsule.Manifest) error {
				if next.ID() == "cli" {
					return errors.New("no, thanks")
				}
				return nil
			}
		}, "no, thanks"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHome(t)
			tt.setup(h)
			_, err := Install(context.Background(), h.Options)
			var failed *FailedError
			if !errors.As(err, &failed) || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error %v, want it to mention %q", err, tt.want)
			}
			if _, err := os.Stat(h.LockPath); !errors.Is(err, os.ErrNotExist) {
				t.Error("a lock was written")
			}
		})
	}
}

// What can be known beforehand is refused before the first capsule is touched.
func TestInstallChecksFirst(t *testing.T) {
	tests := map[string]func(*home){
		"answer for nothing": func(h *home) { h.Answers.Variables["kee"] = "x" },
		"bad choice":         func(h *home) { h.Answers.Groups = map[string][]string{"llm": {"cli"}} },
		"damaged env file": func(h *home) {
			err := errors.Join(os.MkdirAll(filepath.Dir(capsule.EnvPath(h.dir, "user")), 0o700), os.WriteFile(capsule.EnvPath(h.dir, "user"), []byte("{"), 0o600))
			if err != nil {
				h.t.Fatal(err)
			}
		},
		"unanswered": func(h *home) {
			h.Manifest.Capsules[3].Env["greeting"] = "at {{ temperature }}"
		},
	}
	for name, setup := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHome(t)
			setup(h)
			if _, err := Install(context.Background(), h.Options); err == nil {
				t.Fatal("no error")
			}
			if all, _ := h.Store.List(); len(all) != 0 {
				t.Errorf("installed %v", all)
			}
		})
	}
}

func TestInstallCancelled(t *testing.T) {
	h := newHome(t)
	ctx, cancel := context.WithCancel(context.Background())
	h.Progress = func(done, _ int, _ string) {
		if done == 1 {
			cancel()
		}
	}
	if _, err := Install(ctx, h.Options); err == nil {
		t.Fatal("no error")
	}
	if _, err := os.Stat(h.LockPath); !errors.Is(err, os.ErrNotExist) {
		t.Error("a lock was written")
	}
}

func TestPreview(t *testing.T) {
	h := newHome(t)
	manifests, err := Preview(context.Background(), h.Options)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range manifests {
		names = append(names, m.ID())
	}
	if !slices.Equal(names, []string{"cli", "my-llm", "user"}) {
		t.Errorf("previewed %v", names)
	}
	if all, _ := h.Store.List(); len(all) != 0 {
		t.Errorf("installed %v", all)
	}
	h.archives["cli.capsule"].Data = nil
	if _, err := Preview(context.Background(), h.Options); err == nil || !strings.Contains(err.Error(), "capsule cli") {
		t.Error(err)
	}
}

func TestDirectory(t *testing.T) {
	for source, want := range map[string]string{"./a": "/base/a", "../a": "/a", ".": "/base", "/abs/a": "/abs/a", "@org/repo": "", "https://x/y": "", "name": "", "github.com/a/b": ""} {
		p, err := Directory("/base").Open(context.Background(), Entry{Source: source})
		if p.Path != want || (want == "") != errors.Is(err, ErrNoSource) {
			t.Errorf("%s: %q %v", source, p.Path, err)
		}
	}
}
