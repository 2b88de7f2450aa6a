package vfs

import (
	"os"
	"path/filepath"
	"testing"
)

// BenchmarkVfsRead4k compares reading a 4 KiB file in a sub-directory. The aim is 1.3 times os.Root.
func BenchmarkVfsRead4k(b *testing.B) {
	dir := b.TempDir()
	lower := filepath.Join(dir, "lower")
	must(b, os.MkdirAll(filepath.Join(lower, "src"), 0o755))
	must(b, os.WriteFile(filepath.Join(lower, "src/f"), make([]byte, 4096), 0o644))
	root, err := os.OpenRoot(lower)
	must(b, err)
	defer root.Close()
	host, err := NewHost(lower, HostOptions{})
	must(b, err)
	defer host.Close()
	clean, err := NewOverlay(lower, filepath.Join(dir, "clean"), OverlayOptions{})
	must(b, err)
	defer clean.Close()
	dirty, err := NewOverlay(lower, filepath.Join(dir, "dirty"), OverlayOptions{})
	must(b, err)
	defer dirty.Close()
	must(b, dirty.WriteFile("src/changed", make([]byte, 4096), 0o644))
	for _, c := range []struct {
		name string
		read func() ([]byte, error)
	}{
		{"root", func() ([]byte, error) { return root.ReadFile("src/f") }},
		{"host", func() ([]byte, error) { return host.ReadFile("src/f", 0) }},
		{"overlay-lower", func() ([]byte, error) { return clean.ReadFile("src/f", 0) }},
		{"overlay-lower-in-changed-dir", func() ([]byte, error) { return dirty.ReadFile("src/f", 0) }},
		{"overlay-upper", func() ([]byte, error) { return dirty.ReadFile("src/changed", 0) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if data, err := c.read(); err != nil || len(data) != 4096 {
					b.Fatal(len(data), err)
				}
			}
		})
	}
}
