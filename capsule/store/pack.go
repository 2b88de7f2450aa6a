package store

import (
	"archive/tar"
	"compress/gzip"
	"fmt"
	"io"
	"sort"
	"time"

	"github.com/unicity-astrid/astrid-go/capsule"
)

// File is one file of an archive.
type File struct {
	Name       string // slash-separated, relative
	Data       []byte
	Executable bool
}

// Pack writes a .capsule archive: a gzip-compressed tar with the manifest first and the other files by name.
// Times, owners and the compressor's header are constant, so equal files give equal bytes.
func Pack(w io.Writer, files []File) error {
	sorted := append([]File(nil), files...)
	sort.Slice(sorted, func(i, j int) bool {
		a, b := sorted[i].Name, sorted[j].Name
		if (a == capsule.ManifestName) != (b == capsule.ManifestName) {
			return a == capsule.ManifestName
		}
		return a < b
	})
	gz, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	tw := tar.NewWriter(gz)
	for _, f := range sorted {
		mode := int64(0o644)
		if f.Executable {
			mode = 0o755
		}
		h := &tar.Header{Typeflag: tar.TypeReg, Name: f.Name, Size: int64(len(f.Data)), Mode: mode, ModTime: time.Unix(0, 0)}
		if err := tw.WriteHeader(h); err != nil {
			return fmt.Errorf("pack %s: %w", f.Name, err)
		}
		if _, err := tw.Write(f.Data); err != nil {
			return fmt.Errorf("pack %s: %w", f.Name, err)
		}
	}
	if err := tw.Close(); err != nil {
		return err
	}
	return gz.Close()
}
