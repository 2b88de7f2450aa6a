package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/capsule/engine/wasm"
	"github.com/unicity-astrid/astrid-go/capsule/store"
)

func newGC(sys System) *cobra.Command {
	var dry bool
	cmd := &cobra.Command{
		Use:   "gc",
		Short: "Delete binaries and compiled code that no capsule uses any more",
		Long: `Delete binaries, interface files and compiled code that no installed capsule of anybody
uses any more. What is younger than an hour stays: an installation may be about to record
it. One line for each file that goes.`,
		Args: cobra.NoArgs,
		RunE: onCapsules(sys, func(_ context.Context, c *capsules, _ []string) error {
			g := &garbage{c: c, dry: dry, now: time.Now}
			if err := g.collect(); err != nil {
				return err
			}
			verb := "deleted"
			if dry {
				verb = "would delete"
			}
			sys.notef("%s %s, %.1f MiB", verb, count(g.files, "file"), float64(g.bytes)/(1<<20))
			return nil
		}),
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only show what would go")
	return cmd
}

// garbage is one run of gc.
type garbage struct {
	c     *capsules
	dry   bool
	now   func() time.Time
	files int
	bytes int64
}

// grace protects what an installation that runs just now has written.
const grace = time.Hour

func (g *garbage) collect() error {
	stores, err := g.stores()
	if err != nil {
		return err
	}
	g.c.store.Now = g.now
	for _, dir := range []string{g.c.home.BinDir(), g.c.home.WitDir()} {
		names, err := g.c.store.Unreferenced(dir, stores)
		if err != nil {
			return err
		}
		for _, n := range names {
			if err := g.drop(filepath.Join(dir, n)); err != nil {
				return err
			}
		}
	}
	return g.compiled(stores)
}

// stores lists the capsule directories of all principals, each after its recovery: what
// an interrupted change has put aside counts, too.
func (g *garbage) stores() ([]string, error) {
	entries, err := os.ReadDir(g.c.home.PrincipalsDir())
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		p, err := g.c.home.Principal(e.Name())
		if err != nil || !e.IsDir() {
			continue
		}
		s := &store.Store{Dir: p.CapsulesDir(), BinDir: g.c.home.BinDir()}
		if _, err := s.Recover(); err != nil {
			return nil, fmt.Errorf("principal %s: %w", p.Name(), err)
		}
		out = append(out, s.Dir)
	}
	return out, nil
}

// compiled drops from the compile cache what belongs to binaries that are gone.
func (g *garbage) compiled(stores []string) error {
	all, err := store.List(stores...)
	if err != nil {
		return err
	}
	keep := make(map[string]bool)
	for _, i := range all {
		if i.Meta != nil {
			keep[i.Meta.WasmHash] = true
		}
	}
	stale, err := wasm.Stale(g.c.home.CacheDir(), func(hash string) bool { return keep[hash] })
	if err != nil {
		return err
	}
	// All are looked at before any goes: a directory gets younger as it is emptied.
	var old []string
	for _, path := range stale {
		fi, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) || err == nil && g.now().Sub(fi.ModTime()) < grace {
			continue
		}
		if err != nil {
			return err
		}
		old = append(old, path)
	}
	for _, path := range old {
		if err := g.drop(path); err != nil && !errors.Is(err, syscall.ENOTEMPTY) { // something in it is young
			return err
		}
	}
	return nil
}

// drop deletes a file or an empty directory, or says that it would.
func (g *garbage) drop(path string) error {
	fi, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !g.dry {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	if !fi.IsDir() {
		g.files++
		g.bytes += fi.Size()
	}
	_, err = fmt.Fprintln(g.c.sys.Stdout, strings.TrimPrefix(path, g.c.home.Root()+string(filepath.Separator)))
	return err
}
