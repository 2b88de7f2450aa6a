package capability

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func keyDir(t *testing.T) string {
	dir := filepath.Join(t.TempDir(), "keys")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestOpenKeyOnce has many goroutines open a key that does not exist: one key comes out.
func TestOpenKeyOnce(t *testing.T) {
	dir := keyDir(t)
	path := filepath.Join(dir, "runtime.key")
	ids := make([]string, 16)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			k, err := OpenKey(path)
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = k.ID()
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] || id == "" {
			t.Fatalf("keys %v", ids)
		}
	}
	fi, err := os.Stat(path)
	if err != nil || fi.Mode().Perm() != 0o600 || fi.Size() != SeedSize {
		t.Errorf("file %v, %v", fi, err)
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("left behind: %v", files)
	}
}

func TestLoadKeyRefuses(t *testing.T) {
	for name, make := range map[string]func(path string) error{
		"short":             func(p string) error { return os.WriteFile(p, seed()[:31], 0o600) },
		"long":              func(p string) error { return os.WriteFile(p, append(seed(), 1), 0o600) },
		"empty":             func(p string) error { return os.WriteFile(p, nil, 0o600) },
		"readable by group": func(p string) error { return errors.Join(os.WriteFile(p, seed(), 0o600), os.Chmod(p, 0o640)) },
		"readable by all":   func(p string) error { return errors.Join(os.WriteFile(p, seed(), 0o600), os.Chmod(p, 0o604)) },
		"executable":        func(p string) error { return errors.Join(os.WriteFile(p, seed(), 0o600), os.Chmod(p, 0o700)) },
		"directory":         func(p string) error { return os.Mkdir(p, 0o700) },
		"pipe":              func(p string) error { return syscall.Mkfifo(p, 0o600) },
		"link": func(p string) error {
			return errors.Join(os.WriteFile(p+".real", seed(), 0o600), os.Symlink(p+".real", p))
		},
		"open directory": func(p string) error {
			return errors.Join(os.WriteFile(p, seed(), 0o600), os.Chmod(filepath.Dir(p), 0o770))
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(keyDir(t), "runtime.key")
			if err := make(path); err != nil {
				t.Fatal(err)
			}
			if _, err := LoadKey(path); !errors.Is(err, ErrKeyFile) {
				t.Errorf("LoadKey: %v", err)
			}
			if _, err := OpenKey(path); !errors.Is(err, ErrKeyFile) {
				t.Errorf("OpenKey: %v", err)
			}
		})
	}
	if _, err := LoadKey(filepath.Join(keyDir(t), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	if _, err := OpenKey(filepath.Join(t.TempDir(), "no", "dir", "k")); err == nil {
		t.Error("made a key without a directory")
	}
}

func TestKeySignsUntilClosed(t *testing.T) {
	path := filepath.Join(keyDir(t), "runtime.key")
	if err := os.WriteFile(path, seed(), 0o600); err != nil {
		t.Fatal(err)
	}
	k, err := LoadKey(path)
	if err != nil {
		t.Fatal(err)
	}
	if k.ID() != "03a107bff3ce10be" {
		t.Errorf("id %s", k.ID())
	}
	sig, err := k.Sign([]byte("m"))
	if err != nil || !ed25519.Verify(k.Public(), []byte("m"), sig) {
		t.Errorf("signature %x, %v", sig, err)
	}
	secret := k.private
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(secret, make([]byte, len(secret))) {
		t.Error("the secret is still in memory")
	}
	if _, err := k.Sign([]byte("m")); !errors.Is(err, ErrKeyClosed) {
		t.Errorf("after Close: %v", err)
	}
	for _, f := range []string{"%v", "%+v", "%#v", "%s"} {
		if s := fmt.Sprintf(f, vectorKey(t)); !strings.Contains(s, k.ID()) || len(s) > 30 {
			t.Errorf("%s prints %s", f, s)
		}
	}
	if _, err := NewKey(seed()[1:]); !errors.Is(err, ErrKeyFile) {
		t.Errorf("short seed: %v", err)
	}
}
