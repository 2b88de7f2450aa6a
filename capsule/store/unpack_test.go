package store

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/capsule"
)

var goodManifest = header{name: "Capsule.toml", body: manifest("demo", "1.0.0", "")}
var goodWasm = header{name: "main.wasm", body: "x"}

// Nothing of these archives may reach the disk outside the staging directory, and nothing may stay.
func TestUnpackRefuses(t *testing.T) {
	deep := strings.Repeat("d/", MaxDepth+1) + "f"
	tests := []struct {
		name    string
		entries []header
		want    error
	}{
		{"parent", []header{goodManifest, goodWasm, {name: "../evil", body: "x"}}, ErrMalicious},
		{"parent inside", []header{goodManifest, goodWasm, {name: "a/../../evil", body: "x"}}, ErrMalicious},
		{"parent that stays inside", []header{goodManifest, goodWasm, {name: "a/../b", body: "x"}}, ErrMalicious},
		{"absolute", []header{goodManifest, goodWasm, {name: "/tmp/evil", body: "x"}}, ErrMalicious},
		{"backslash", []header{goodManifest, goodWasm, {name: `..\evil`, body: "x"}}, ErrMalicious},
		{"drive", []header{goodManifest, goodWasm, {name: "c:/evil", body: "x"}}, ErrMalicious},
		{"empty component", []header{goodManifest, goodWasm, {name: "a//b", body: "x"}}, ErrMalicious},
		{"control character", []header{goodManifest, goodWasm, {name: "a\nb", body: "x"}}, ErrMalicious},
		{"not UTF-8", []header{goodManifest, goodWasm, {name: "a\xff", body: "x"}}, ErrMalicious},
		{"symbolic link", []header{goodManifest, goodWasm, {name: "l", kind: tar.TypeSymlink, link: "/etc"}}, ErrMalicious},
		{"symbolic link as parent", []header{goodManifest, goodWasm, {name: "l", kind: tar.TypeSymlink, link: "/tmp"}, {name: "l/evil", body: "x"}}, ErrMalicious},
		{"hard link", []header{goodManifest, goodWasm, {name: "l", kind: tar.TypeLink, link: "Capsule.toml"}}, ErrMalicious},
		{"character device", []header{goodManifest, goodWasm, {name: "d", kind: tar.TypeChar}}, ErrMalicious},
		{"block device", []header{goodManifest, goodWasm, {name: "d", kind: tar.TypeBlock}}, ErrMalicious},
		{"pipe", []header{goodManifest, goodWasm, {name: "d", kind: tar.TypeFifo}}, ErrMalicious},
		{"unknown type", []header{goodManifest, goodWasm, {name: "d", kind: 'Z'}}, ErrMalicious},
		{"duplicate", []header{goodManifest, goodWasm, {name: "a", body: "1"}, {name: "a", body: "2"}}, ErrMalicious},
		{"duplicate with dot", []header{goodManifest, goodWasm, {name: "a", body: "1"}, {name: "./a", body: "2"}}, ErrMalicious},
		{"duplicate directory", []header{goodManifest, goodWasm, {name: "a/", kind: tar.TypeDir}, {name: "a/", kind: tar.TypeDir}}, ErrMalicious},
		{"case twin", []header{goodManifest, goodWasm, {name: "a", body: "1"}, {name: "A", body: "2"}}, ErrMalicious},
		{"case twin directory", []header{goodManifest, goodWasm, {name: "a/x", body: "1"}, {name: "A/y", body: "2"}}, ErrMalicious},
		{"folding beyond ASCII", []header{goodManifest, goodWasm, {name: "s", body: "1"}, {name: "\u017f", body: "2"}}, ErrMalicious},
		{"file as directory", []header{goodManifest, goodWasm, {name: "a", body: "1"}, {name: "a/b", body: "2"}}, ErrMalicious},
		{"directory as file", []header{goodManifest, goodWasm, {name: "a/b", body: "1"}, {name: "a", body: "2"}}, ErrMalicious},
		{"record of the store", []header{goodManifest, goodWasm, {name: "meta.json", body: "{}"}}, ErrMalicious},
		{"preset answers", []header{goodManifest, goodWasm, {name: ".env.json", body: "{}"}}, ErrMalicious},
		{"no manifest", []header{goodWasm}, ErrBadPackage},
		{"two manifests", []header{goodManifest, goodManifest, goodWasm}, ErrMalicious},
		{"manifest below", []header{goodManifest, goodWasm, {name: "sub/Capsule.toml", body: "x"}}, ErrBadPackage},
		{"manifest only below", []header{goodWasm, {name: "sub/Capsule.toml", body: goodManifest.body}}, ErrBadPackage},
		{"manifest in lower case", []header{goodWasm, {name: "capsule.toml", body: goodManifest.body}}, ErrBadPackage},
		{"name leads outside", []header{{name: "Capsule.toml", body: manifest("../x", "1.0.0", "")}, goodWasm}, ErrBadPackage},
		{"too deep", []header{goodManifest, goodWasm, {name: deep, body: "x"}}, ErrTooLarge},
		{"long path", []header{goodManifest, goodWasm, {name: strings.Repeat("x", MaxPathLength+1), body: "x"}}, ErrMalicious},
		{"empty", nil, ErrBadPackage},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			refuse(t, archive(t, tt.entries...), tt.want)
		})
	}
}

func refuse(t *testing.T, packed []byte, want error) {
	t.Helper()
	f := newFixture(t)
	f.mustInstall(map[string]string{"Capsule.toml": manifest("demo", "0.9.0", ""), "main.wasm": "old"})
	before := f.snapshot()
	_, err := f.InstallArchive(context.Background(), bytes.NewReader(packed), InstallOptions{})
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
	f.mustBeUnchanged(before)
}

func TestUnpackDamaged(t *testing.T) {
	good := archive(t, goodManifest, goodWasm)
	flipped := bytes.Clone(good)
	flipped[len(flipped)-6] ^= 1 // checksum
	tests := map[string][]byte{
		"nothing":        {},
		"not gzip":       []byte("PK\x03\x04"),
		"zip":            zipped(t),
		"not tar":        gzipped(t, bytes.Repeat([]byte("junk"), 400)),
		"cut":            good[:len(good)/2],
		"checksum":       flipped,
		"trailing bytes": append(bytes.Clone(good), "more"...),
		"second member":  append(bytes.Clone(good), archive(t, header{name: "evil", body: "x"})...),
	}
	for name, packed := range tests {
		t.Run(name, func(t *testing.T) { refuse(t, packed, ErrBadPackage) })
	}
}

// zipped is a zip archive with a file that would unpack to 64 MiB.
func zipped(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create(capsule.ManifestName)
	for range 64 {
		if err == nil {
			_, err = w.Write(make([]byte, 1<<20))
		}
	}
	if err = errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// zeros is a stream of at least n zero bytes, compressed while it is read: an archive that never begins.
func zeros(t *testing.T, n int64) io.Reader {
	r, w := io.Pipe()
	t.Cleanup(func() { r.Close() })
	go func() {
		z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
		block := make([]byte, 1<<20)
		for ; n > 0 && err == nil; n -= int64(len(block)) {
			_, err = z.Write(block)
		}
		z.Close()
		w.CloseWithError(err)
	}()
	return r
}

func rawHeader(t *testing.T, name string, size int64) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Size: size, Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestUnpackBombs(t *testing.T) {
	tests := map[string]func(t *testing.T) io.Reader{
		"declared size": func(t *testing.T) io.Reader {
			return bytes.NewReader(gzipped(t, rawHeader(t, "big", 10<<30)))
		},
		"100,000 entries": func(t *testing.T) io.Reader {
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			w := tar.NewWriter(z)
			for range 100_000 { // the root again and again: making so many directories would take minutes
				if err := w.WriteHeader(&tar.Header{Name: "./", Typeflag: tar.TypeDir, Mode: 0o755}); err != nil {
					t.Fatal(err)
				}
			}
			if err := errors.Join(w.Close(), z.Close()); err != nil {
				t.Fatal(err)
			}
			return &b
		},
		"gzip bomb": func(t *testing.T) io.Reader {
			if testing.Short() {
				t.Skip("inflates half a gigabyte")
			}
			return zeros(t, 10<<30)
		},
	}
	for name, make := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			_, err := f.InstallArchive(context.Background(), make(t), InstallOptions{})
			if !errors.Is(err, ErrTooLarge) {
				t.Fatal(err)
			}
			if entries, _ := os.ReadDir(f.Dir); len(entries) != 1 { // .lock
				t.Errorf("leftovers %v", entries)
			}
		})
	}
}

// Padding and headers count: they would unpack to nothing for ever.
func TestUnpackPadding(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := unpackAtMost(zeros(t, 1<<20), root, 1<<20-1); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	if err := unpackAtMost(zeros(t, 1<<20), root, 1<<20); err != nil {
		t.Error(err)
	}
}

func TestBounded(t *testing.T) {
	b := &bounded{r: bytes.NewReader(make([]byte, 10)), left: 9, what: "x"}
	if _, err := io.ReadAll(b); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	b = &bounded{r: bytes.NewReader(make([]byte, 10)), left: 10, what: "x"}
	if _, err := io.ReadAll(b); err != nil {
		t.Error(err)
	}
	b = &bounded{r: bytes.NewReader(make([]byte, 2)), left: 1, what: "x"}
	if _, err := b.ReadByte(); err != nil {
		t.Error(err)
	}
	if _, err := b.ReadByte(); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
}

// The sum and the number of files are bounded too. Checked on the counter: writing half a gigabyte proves no more.
func TestNamesLimits(t *testing.T) {
	n := newNames()
	for range MaxTotalSize / MaxFileSize {
		if err := n.charge("f", MaxFileSize); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.charge("f", 1); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	n = newNames()
	for i := range MaxEntries {
		if _, err := n.admit(fmt.Sprint("d/", i), false); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := n.admit("e", false); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	if err := n.charge("f", -1); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add([]byte("name"), []byte("body"), byte('0'))
	f.Add([]byte("../x"), []byte("body"), byte('2'))
	f.Add([]byte("a/b"), []byte(""), byte('5'))
	f.Fuzz(func(t *testing.T, name, body []byte, kind byte) {
		outside := t.TempDir()
		stage := outside + "/stage"
		if err := os.Mkdir(stage, 0o700); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(stage)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		var raw bytes.Buffer
		w := tar.NewWriter(&raw)
		h := &tar.Header{Name: string(name), Typeflag: kind, Size: int64(len(body)), Mode: 0o644, Linkname: string(body)}
		if w.WriteHeader(h) == nil {
			_, _ = w.Write(body)
		}
		_ = w.Close()
		raw.Write(body) // also as raw blocks
		_ = unpack(bytes.NewReader(gzipped(t, raw.Bytes())), root)
		_ = unpack(bytes.NewReader(body), root)
		if entries, _ := os.ReadDir(outside); len(entries) != 1 {
			t.Fatalf("written outside: %v", entries)
		}
	})
}
