package capsule

import (
	"io/fs"
	"maps"
	"os"
	"strings"
	"testing"
)

// memSecrets keeps secrets in memory.
type memSecrets map[string]string

func (m memSecrets) Get(p, c, n string) (string, error) {
	v, ok := m[p+"/"+c+"/"+n]
	if !ok {
		return "", fs.ErrNotExist
	}
	return v, nil
}

func (m memSecrets) Set(p, c, n, v string) error { m[p+"/"+c+"/"+n] = v; return nil }

func (m memSecrets) Delete(p, c, n string) error {
	if _, err := m.Get(p, c, n); err != nil {
		return err
	}
	delete(m, p+"/"+c+"/"+n)
	return nil
}

func TestSettings(t *testing.T) {
	m, err := ParseManifest("Capsule.toml", []byte("[package]\nname = \"demo\"\nversion = \"0.1.0\"\n[env]\nkey = { type = \"secret\" }\nname = { type = \"string\" }\n"))
	if err != nil {
		t.Fatal(err)
	}
	store := memSecrets{}
	s := Settings{Principal: "default", Home: t.TempDir(), Secrets: store}
	want := func(how string, w map[string]string) {
		t.Helper()
		if got, err := s.Load(m); err != nil || !maps.Equal(got, w) {
			t.Errorf("%s: %v, %v, want %v", how, got, err, w)
		}
	}
	want("nothing was set", map[string]string{})
	// What earlier versions wrote is seen by a look and moved by a load.
	old := map[string]string{"key": "k", "name": "Ida"}
	if err := SaveEnv(EnvPath(s.Home, "demo"), old); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Look(m); err != nil || !maps.Equal(got, old) || len(store) != 0 {
		t.Errorf("a look: %v, %v, moved %v", got, err, store)
	}
	want("moved over", old)
	raw, err := os.ReadFile(EnvPath(s.Home, "demo"))
	if err != nil || strings.Contains(string(raw), "key") || store["default/demo/key"] != "k" {
		t.Errorf("the file has %s, the store %v", raw, store)
	}
	restore, err := s.Keep(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Save(m, map[string]string{"name": "Ann"}); err != nil {
		t.Fatal(err)
	}
	want("the secret is not set any more", map[string]string{"name": "Ann"})
	if len(store) != 0 {
		t.Errorf("the store keeps %v", store)
	}
	if err := restore(); err != nil {
		t.Fatal(err)
	}
	want("put back", old)
	// Without a store a secret is refused and not written down in the clear.
	open := Settings{Principal: "default", Home: t.TempDir()}
	if err := open.Save(m, old); err == nil || strings.Contains(err.Error(), "\"k\"") {
		t.Errorf("without a store: %v", err)
	}
	if _, err := os.Stat(EnvPath(open.Home, "demo")); err == nil {
		t.Error("something was written")
	}
	restore, err = open.Keep(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := open.Save(m, map[string]string{"name": "Ann"}); err != nil {
		t.Fatal(err)
	}
	if err := restore(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(EnvPath(open.Home, "demo")); err == nil {
		t.Error("a file that was not there is left")
	}
}
