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

// install prepares and installs.
func (h *home) install() (*Result, error) {
	p, err := Prepare(context.Background(), h.Options)
	if err != nil {
		return nil, err
	}
	return p.Install(context.Background())
}

func TestInstall(t *testing.T) {
	h := newHome(t)
	var seen []string
	h.Progress = func(e Event) {
		if e.Phase == Done {
			seen = append(seen, e.Name)
		}
	}
	r, err := h.install()
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
	if e != (LockEntry{"my-llm", "0.1.0", "@example/my-llm", "blake3:" + capsule.Hash([]byte("my")), "blake3:" + capsule.Hash(h.archives["my-llm.capsule"].Data)}) {
		t.Errorf("%+v", e)
	}
	first, _ := os.ReadFile(h.LockPath)

	// A second run without answers keeps the user's settings, adds what is new and writes the same lock.
	if err := capsule.SaveEnv(capsule.EnvPath(h.dir, "my-llm"), map[string]string{"api_key": "mine", "mode": ""}); err != nil {
		t.Fatal(err)
	}
	answers := h.Answers.Variables
	h.Answers.Variables = nil
	if _, err := h.install(); err != nil {
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
	if _, err := h.install(); err != nil {
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
	if next := l.Follow(all); !next.Same(l) {
		t.Errorf("nothing changed, but the lock is now %+v", next)
	}
	if next := l.Follow(all[1:]); len(next.Capsules) != 2 || next.Same(l) {
		t.Errorf("one is gone, the lock has %+v", next)
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
		}, "no capsule provides astrid/llm ^1.0"},
		"undeclared env": {func(h *home) { h.writeUser(manifestOf("user", "")) }, `"greeting", which the capsule does not declare`},
		"pinned otherwise": {func(h *home) {
			h.lockNow()
			h.archives["cli.capsule"] = archiveOf(h.t, manifestOf("cli", "[capabilities]\nuplink = true\n"), "older")
		}, "locked is"},
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
			_, err := h.install()
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

// lockNow makes a lock of what would be installed, without installing it.
func (h *home) lockNow() {
	h.t.Helper()
	other := *h
	other.dir = h.t.TempDir()
	other.Store = &store.Store{Dir: filepath.Join(other.dir, "capsules"), BinDir: filepath.Join(other.dir, "bin")}
	other.Settings = capsule.Settings{Principal: "default", Home: other.dir, Secrets: memSecrets{}}
	other.LockPath = filepath.Join(other.dir, LockName)
	r, err := other.install()
	if err != nil {
		h.t.Fatal(err)
	}
	h.Locked = r.Lock
}

// On another home the lock gives the same, or nothing.
func TestLocked(t *testing.T) {
	h := newHome(t)
	h.lockNow()
	h.Now = time.Now
	r, err := h.install()
	if err != nil {
		t.Fatal(err)
	}
	if !r.Lock.Same(h.Locked) || r.Lock.Distro.ResolvedAt != h.Locked.Distro.ResolvedAt {
		t.Errorf("%+v is not %+v", r.Lock, h.Locked)
	}
	for name, tt := range map[string]func(*home){
		"another version of the distro": func(h *home) { h.Locked.Distro.Version = "9.0.0" },
		"another source":                func(h *home) { h.Locked.Capsules[1].Source = "@else/where" },
		"another version":               func(h *home) { h.Locked.Capsules[1].Version = "0.0.9" },
		"one more":                      func(h *home) { h.Locked.Capsules = h.Locked.Capsules[1:] },
		"one less":                      func(h *home) { h.Locked.Capsules = append(h.Locked.Capsules, LockEntry{Name: "more"}) },
		"another provider":              func(h *home) { h.Answers.Groups = map[string][]string{"llm": {"other-llm"}} },
		"another file in a directory":   func(h *home) { h.writeUser(manifestOf("user", userTables) + "# more\n") },
		"another archive of the same binary": func(h *home) {
			h.archives["cli.capsule"] = archiveOf(h.t, manifestOf("cli", "[capabilities]\nuplink = true\n")+"#\n", "cli")
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHome(t)
			h.lockNow()
			tt(h)
			if _, err := h.install(); !errors.Is(err, ErrLocked) {
				t.Errorf("error %v", err)
			}
			if all, _ := h.Store.List(); len(all) != 0 {
				t.Errorf("installed %v", all)
			}
		})
	}
}

// What is between the look and the installation exchanged is not installed.
func TestExchangedAfterPrepare(t *testing.T) {
	h := newHome(t)
	p, err := Prepare(context.Background(), h.Options)
	if err != nil {
		t.Fatal(err)
	}
	h.archives["cli.capsule"] = archiveOf(h.t, manifestOf("cli", "[capabilities]\nuplink = true\nnet = [\"*\"]\n"), "cli")
	if _, err := p.Install(context.Background()); !errors.Is(err, store.ErrIntegrity) {
		t.Errorf("error %v", err)
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
			if _, err := h.install(); err == nil {
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
	h.Progress = func(e Event) {
		if e.Phase == Installing {
			cancel()
		}
	}
	p, err := Prepare(ctx, h.Options)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Install(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	if _, err := os.Stat(h.LockPath); !errors.Is(err, os.ErrNotExist) {
		t.Error("a lock was written")
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
