package distro

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/capsule"
)

// The example of the format, byte for byte.
const lockText = `schema-version = 1

[distro]
id = "mini"
version = "0.1.0"
resolved-at = "2026-03-24T10:11:12.123456789+00:00"

[[capsule]]
name = "astrid-capsule-cli"
version = "0.1.0"
source = "@example/capsule-cli"
hash = "blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"

[[capsule]]
name = "static"
version = "1.0.0"
source = "quote\" and \\ and \u0001"
hash = ""
`

func TestLockRoundTrip(t *testing.T) {
	l, err := ParseLock("distro.lock", []byte(lockText))
	if err != nil {
		t.Fatal(err)
	}
	if e, ok := l.Find("astrid-capsule-cli"); !ok || e.WasmHash() != capsule.Hash(nil) {
		t.Errorf("%+v", e)
	}
	if _, ok := l.Find("none"); ok {
		t.Error("found what is not there")
	}
	out, err := l.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if string(out) != lockText {
		t.Errorf("encoded as\n%s", out)
	}
	path := filepath.Join(t.TempDir(), ".config", LockName)
	if none, err := LoadLock(path); none != nil || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a lock that does not exist: %v %v", none, err)
	}
	if none, ok := (*Lock)(nil).Find("x"); ok {
		t.Error(none)
	}
	if err := l.Save(path); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	again, err := LoadLock(path)
	if err != nil {
		t.Fatal(err)
	}
	second, _ := again.Encode()
	if !bytes.Equal(out, second) {
		t.Error("the second writing differs")
	}
}

func TestLockRefuses(t *testing.T) {
	for name, change := range map[string][2]string{
		"schema":     {"schema-version = 1", "schema-version = 2"},
		"time":       {"2026-03-24T10:11:12.123456789+00:00", "yesterday"},
		"name":       {"astrid-capsule-cli", "../x"},
		"twice":      {`"static"`, `"astrid-capsule-cli"`},
		"short hash": {"af1349b9", ""},
		"algorithm":  {"blake3:", "sha256:"},
		"missing":    {`source = "@example/capsule-cli"`, ""},
		"unknown":    {`version = "1.0.0"`, "version = \"1.0.0\"\nmore = 1"},
	} {
		text := strings.Replace(lockText, change[0], change[1], 1)
		if text == lockText {
			t.Fatalf("%s: nothing was replaced", name)
		}
		if _, err := ParseLock("distro.lock", []byte(text)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestLockFresh(t *testing.T) {
	m := mini(t)
	l, _ := ParseLock("distro.lock", []byte(lockText))
	if !l.Fresh(m) {
		t.Error("not fresh")
	}
	l.Distro.Version = "0.1.1"
	if l.Fresh(m) || (*Lock)(nil).Fresh(m) {
		t.Error("fresh")
	}
}

func FuzzParseLock(f *testing.F) {
	f.Add([]byte(lockText))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := ParseLock("x", data)
		if err != nil {
			return
		}
		out, err := l.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseLock("x", out)
		if err != nil {
			t.Fatalf("%v in\n%s", err, out)
		}
		second, _ := again.Encode()
		if !bytes.Equal(out, second) {
			t.Fatalf("unstable:\n%s\n%s", out, second)
		}
	})
}
