package secrets

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/kernel/home"
)

func must(t testing.TB, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// ring is a keyring in memory.
type ring struct {
	mu    sync.Mutex
	items map[string]string
	err   error
	hang  chan struct{}
}

func (r *ring) Get(service, user string) (string, error) {
	if r.hang != nil {
		<-r.hang
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	v, ok := r.items[service+"/"+user]
	if !ok && r.err == nil {
		return "", errors.New("no such item")
	}
	return v, r.err
}

func (r *ring) Set(service, user, v string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.items[service+"/"+user] = v
	}
	return r.err
}

func newRing() *ring { return &ring{items: map[string]string{}} }

func newHome(t testing.TB) home.Home {
	t.Helper()
	h, err := home.Resolve(func(name string) (string, bool) { return t.TempDir(), name == "ASTRID_HOME" })
	must(t, err, h.Ensure())
	return h
}

func TestKeptPerPrincipalAndCapsule(t *testing.T) {
	s := Open(newHome(t), Options{Store: File})
	must(t, s.Set("default", "a", "key", "one"), s.Set("alice", "a", "key", "two"), s.Set("default", "b", "key", "three"), s.Set("default", "a", "KEY", "four"))
	for _, c := range [][4]string{{"default", "a", "key", "one"}, {"alice", "a", "key", "two"}, {"default", "b", "key", "three"}, {"default", "a", "KEY", "four"}} {
		if v, err := s.Get(c[0], c[1], c[2]); v != c[3] || err != nil {
			t.Errorf("%v: %q, %v", c, v, err)
		}
	}
	must(t, s.Set("default", "a", "key", "five"))
	if v, _ := s.Get("default", "a", "key"); v != "five" {
		t.Errorf("after it was replaced: %q", v)
	}
	list, err := s.List("default", "")
	must(t, err)
	var got []string
	for _, e := range list {
		got = append(got, e.Capsule+"/"+e.Name)
	}
	if s := strings.Join(got, " "); s != "a/KEY a/key b/key" {
		t.Errorf("listed %s", s)
	}
	must(t, s.Delete("default", "a", "key"))
	if _, err := s.Get("default", "a", "key"); !errors.Is(err, ErrNotFound) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after it was deleted: %v", err)
	}
	if err := s.Delete("default", "a", "key"); !errors.Is(err, ErrNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
	if has, err := s.Has("alice", "a", "key"); !has || err != nil {
		t.Errorf("another principal's: %v, %v", has, err)
	}
	must(t, s.DeleteAll("default", "a"), s.DeleteAll("default", "none"))
	if list, err := s.List("default", ""); err != nil || len(list) != 1 || list[0].Capsule != "b" {
		t.Errorf("after those of a capsule were deleted: %v, %v", list, err)
	}
}

// TestFiles: nothing on disk shows a value, and nobody else may read any of it.
func TestFiles(t *testing.T) {
	h := newHome(t)
	s := Open(h, Options{Store: File})
	must(t, s.Set("default", "cap", "api_key", "sk-very-secret"))
	must(t, filepath.WalkDir(h.Root(), func(path string, d fs.DirEntry, err error) error {
		must(t, err)
		fi, err := d.Info()
		must(t, err)
		if strings.HasPrefix(path, h.SecretsDir()) || path == h.SecretsKey() {
			if fi.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s has mode %v", path, fi.Mode())
			}
		}
		if d.Type().IsRegular() {
			b, err := os.ReadFile(path)
			must(t, err)
			if bytes.Contains(b, []byte("very-secret")) {
				t.Errorf("%s holds the value", path)
			}
		}
		return nil
	}))
	if v, err := Open(h, Options{}).Get("default", "cap", "api_key"); v != "sk-very-secret" || err != nil {
		t.Errorf("by another process: %q, %v", v, err)
	}
}

// TestTampering: whatever is done to a file, it is refused and not mistaken.
func TestTampering(t *testing.T) {
	s := Open(newHome(t), Options{Store: File})
	must(t, s.Set("default", "a", "x", "value of x"), s.Set("default", "a", "y", "value of y"), s.Set("default", "b", "x", "other"))
	px, err := s.path("default", "a", "x")
	must(t, err)
	good, err := os.ReadFile(px)
	must(t, err)
	check := func(what string, raw []byte) {
		t.Helper()
		must(t, os.WriteFile(px, raw, 0o600))
		v, err := s.Get("default", "a", "x")
		if !errors.Is(err, ErrBroken) || v != "" || strings.Contains(err.Error(), "value of") {
			t.Errorf("%s: %q, %v", what, v, err)
		}
	}
	for n := range good {
		raw := bytes.Clone(good)
		raw[n] ^= 1
		check("a bit of byte flipped", raw)
		check("cut", good[:n])
	}
	check("longer", append(bytes.Clone(good), 0))
	for _, o := range [][3]string{{"default", "a", "y"}, {"default", "b", "x"}} {
		po, err := s.path(o[0], o[1], o[2])
		must(t, err)
		raw, err := os.ReadFile(po)
		must(t, err)
		check("another secret's file", raw)
	}
}

func TestInvalid(t *testing.T) {
	s := Open(newHome(t), Options{Store: File})
	for _, c := range [][4]string{
		{"default", "a", "", "v"}, {"default", "a", "a:b", "v"}, {"default", "a", "a\n", "v"}, {"default", "a", strings.Repeat("n", 129), "v"},
		{"default", "a", "\xff", "v"}, {"default", "a", "n", ""}, {"default", "a", "n", "a\x00"}, {"default", "a", "n", strings.Repeat("v", MaxValue+1)}, {"default", "a", "n", "\xff"},
	} {
		if err := s.Set(c[0], c[1], c[2], c[3]); !errors.Is(err, ErrInvalid) {
			t.Errorf("%.40q: %v", c, err)
		}
	}
	for _, c := range [][2]string{{"../x", "a"}, {"default", "../a"}, {"default", ""}, {"", "a"}, {"default", "A"}} {
		if err := s.Set(c[0], c[1], "n", "v"); !errors.Is(err, home.ErrBadName) {
			t.Errorf("%q: %v", c, err)
		}
	}
	must(t, s.Set("default", "a", "../../x", "v"), s.Set("default", "a", strings.Repeat("ü", 64), strings.Repeat("v", MaxValue)))
	if v, err := s.Get("default", "a", "../../x"); v != "v" || err != nil {
		t.Errorf("a name like a path: %q, %v", v, err)
	}
}

func TestKeyring(t *testing.T) {
	h, r := newHome(t), newRing()
	must(t, Open(h, Options{Ring: r}).Set("default", "a", "n", "v"))
	raw, err := os.ReadFile(h.SecretsKey())
	must(t, err)
	if !strings.HasPrefix(string(raw), "keyring ") || len(r.items) != 1 {
		t.Fatalf("key file %q, %d items", raw, len(r.items))
	}
	if v, err := Open(h, Options{Ring: r, Store: File}).Get("default", "a", "n"); v != "v" || err != nil {
		t.Errorf("where the key is stays as it is: %q, %v", v, err)
	}
	// A keyring that is gone is no reason for a new key.
	gone := Open(h, Options{Ring: &ring{err: errors.New("no bus")}})
	if _, err := gone.Get("default", "a", "n"); !errors.Is(err, ErrKey) || !strings.Contains(err.Error(), "no bus") {
		t.Errorf("without the keyring: %v", err)
	}
	if err := gone.Set("default", "a", "m", "v"); !errors.Is(err, ErrKey) {
		t.Errorf("set without the keyring: %v", err)
	}
	if has, err := gone.Has("default", "a", "n"); !has || err != nil {
		t.Errorf("has needs no key: %v, %v", has, err)
	}
}

func TestWithoutKeyring(t *testing.T) {
	hung := newRing()
	hung.hang = make(chan struct{})
	t.Cleanup(func() { close(hung.hang) })
	forgets := &forgetful{newRing()}
	for name, r := range map[string]Ring{"none": &ring{err: errors.New("no bus")}, "hangs": hung, "forgets": forgets} {
		h := newHome(t)
		s := Open(h, Options{Ring: r, RingTimeout: 20 * time.Millisecond})
		must(t, s.Set("default", "a", "n", "v"))
		if raw, err := os.ReadFile(h.SecretsKey()); err != nil || !strings.HasPrefix(string(raw), "file ") {
			t.Errorf("%s: key file %v", name, err)
		}
		if err := Open(newHome(t), Options{Ring: r, Store: Keyring, RingTimeout: 20 * time.Millisecond}).Set("default", "a", "n", "v"); !errors.Is(err, ErrKey) {
			t.Errorf("%s, but it is demanded: %v", name, err)
		}
	}
}

type forgetful struct{ *ring }

func (forgetful) Set(string, string, string) error { return nil }

func TestKeyFile(t *testing.T) {
	h := newHome(t)
	s := Open(h, Options{Store: File})
	must(t, s.Set("default", "a", "n", "v"), os.Chmod(h.SecretsKey(), 0o640))
	if _, err := Open(h, Options{}).Get("default", "a", "n"); !errors.Is(err, ErrKey) || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key that others can read: %v", err)
	}
	for _, text := range []string{"", "file", "file 00", "other x", "file " + strings.Repeat("g", 64)} {
		must(t, os.WriteFile(h.SecretsKey(), []byte(text), 0o600), os.Chmod(h.SecretsKey(), 0o600))
		if _, err := Open(h, Options{}).Get("default", "a", "n"); !errors.Is(err, ErrKey) {
			t.Errorf("%q: %v", text, err)
		}
	}
	must(t, os.Remove(h.SecretsKey()))
	if _, err := Open(h, Options{}).Get("default", "a", "n"); !errors.Is(err, ErrKey) {
		t.Errorf("no key: %v", err)
	}
}

// TestHammer: processes that start at once agree on one key, and a reader sees whole values.
func TestHammer(t *testing.T) {
	h := newHome(t)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			s := Open(h, Options{Store: File})
			value := strings.Repeat(string(rune('a'+i)), 500)
			for range 10 {
				if err := s.Set("default", "a", "n", value); err != nil {
					t.Error(err)
				}
				v, err := s.Get("default", "a", "n")
				if err != nil || len(v) != 500 || strings.Trim(v, v[:1]) != "" {
					t.Errorf("read %d bytes, %v", len(v), err)
				}
			}
		})
	}
	wg.Wait()
	if left, _ := filepath.Glob(filepath.Join(h.KeysDir(), "*.tmp")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

func FuzzUnseal(f *testing.F) {
	aead, err := newAEAD(make([]byte, keySize))
	must(f, err)
	f.Add(seal(aead, "default", "a", "n", "v"), "n")
	f.Add([]byte(header), "n")
	f.Add([]byte(nil), "")
	f.Fuzz(func(t *testing.T, raw []byte, name string) {
		v, err := unseal(aead, "default", "a", name, raw)
		if err == nil && (name != "n" || v != "v") {
			t.Errorf("%q passed as %q of %q", raw, v, name)
		}
	})
}
