package vfs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// BenchmarkVfsCommit10k compares changing one byte of each of 10,000 files, which copies them up, and committing all of them with
// `cp -a` of the directory. A commit syncs each file to disk, so the cp is synced, too.
func BenchmarkVfsCommit10k(b *testing.B) {
	const files = 10_000
	dir := b.TempDir()
	lower := filepath.Join(dir, "lower")
	data := make([]byte, 2048)
	for i := range files {
		sub := filepath.Join(lower, fmt.Sprintf("d%02d", i%100))
		if i < 100 {
			must(b, os.MkdirAll(sub, 0o755))
		}
		must(b, os.WriteFile(filepath.Join(sub, fmt.Sprintf("f%d", i)), data, 0o644))
	}
	must(b, exec.Command("sync", "-f", dir).Run())
	began := time.Now()
	must(b, exec.Command("cp", "-a", lower, filepath.Join(dir, "copy")).Run())
	plain := time.Since(began)
	must(b, exec.Command("sync", "-f", dir).Run())
	synced := time.Since(began)
	v, err := NewOverlay(lower, filepath.Join(dir, "upper"), OverlayOptions{})
	must(b, err)
	defer v.Close()
	began = time.Now()
	for i := range files {
		f, err := v.OpenFile(fmt.Sprintf("d%02d/f%d", i%100, i), os.O_RDWR, 0)
		must(b, err)
		_, err = f.WriteAt([]byte("x"), 0)
		must(b, err)
		must(b, f.Close())
	}
	up := time.Since(began)
	began = time.Now()
	res, err := v.Commit(CommitOptions{})
	must(b, err)
	if len(res.Committed) != files {
		b.Fatalf("committed %d", len(res.Committed))
	}
	commit := time.Since(began)
	line := func(name string, d, reference time.Duration) {
		fmt.Printf("BENCH %s %d ms %d %.2f\n", name, d.Milliseconds(), reference.Milliseconds(), float64(d)/float64(reference))
	}
	line("vfs_copyup_10k", up, plain)
	line("vfs_commit_10k", commit, synced)
	line("vfs_copyup_commit_10k", up+commit, synced)
}

// BenchmarkVfsReaddir100k compares listing a directory of 100,000 entries with os.ReadDir, which does not look at the entries.
func BenchmarkVfsReaddir100k(b *testing.B) {
	const files = 100_000
	dir := b.TempDir()
	lower := filepath.Join(dir, "lower")
	must(b, os.MkdirAll(filepath.Join(lower, "d"), 0o755))
	for i := range files {
		f, err := os.Create(filepath.Join(lower, "d", fmt.Sprintf("file-%d", i)))
		must(b, err)
		must(b, f.Close())
	}
	clean, err := NewOverlay(lower, filepath.Join(dir, "clean"), OverlayOptions{})
	must(b, err)
	defer clean.Close()
	dirty, err := NewOverlay(lower, filepath.Join(dir, "dirty"), OverlayOptions{})
	must(b, err)
	defer dirty.Close()
	for i := range 1000 {
		must(b, dirty.WriteFile(fmt.Sprintf("d/file-%d", i*7), nil, 0o644))
		must(b, dirty.Remove(fmt.Sprintf("d/file-%d", i*11+1)))
	}
	cases := []struct {
		name string
		list func() (int, error)
		best time.Duration
	}{
		{name: "os", list: func() (int, error) { l, err := os.ReadDir(filepath.Join(lower, "d")); return len(l), err }},
		{name: "lower", list: func() (int, error) { l, err := clean.ReadDir("d"); return len(l), err }},
		{name: "changed", list: func() (int, error) { l, err := dirty.ReadDir("d"); return len(l), err }},
	}
	for range 5 { // in turns, and the best of each
		for i := range cases {
			began := time.Now()
			n, err := cases[i].list()
			must(b, err)
			if n < files-2000 {
				b.Fatalf("%s lists %d", cases[i].name, n)
			}
			if d := time.Since(began); cases[i].best == 0 || d < cases[i].best {
				cases[i].best = d
			}
		}
	}
	for _, c := range cases[1:] {
		fmt.Printf("BENCH vfs_readdir_100k_%s %d ms %d %.2f\n", c.name, c.best.Milliseconds(), cases[0].best.Milliseconds(), float64(c.best)/float64(cases[0].best))
	}
}
