package watch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Rest is how long nothing must have happened, unless Options say otherwise.
const Rest = 500 * time.Millisecond

// maxRest is how often the rest may begin again before a report comes all the same.
const maxRest = 20

// MaxDirs is the most directories that are watched: the system has few handles for it.
const MaxDirs = 4096

// ErrTooMany refuses a tree with more directories than can be watched.
var ErrTooMany = fmt.Errorf("more than %d directories", MaxDirs)

// Options says what to watch. Roots is required.
type Options struct {
	Roots []string      // directories; one that is not there is an error
	Depth int           // directories below a root that are watched too; 0 is all
	Rest  time.Duration // 0 is the constant of this name
}

// Watch calls changed, never two at a time, each time that files have changed and come to rest, until ctx is
// done, which is no error. Build output and version control are left out: node_modules, target, dist, .git and
// what editors write beside a file.
func Watch(ctx context.Context, o Options, changed func(context.Context)) error {
	if o.Rest == 0 {
		o.Rest = Rest
	}
	n, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	defer n.Close()
	w := &watcher{o: o, n: n}
	for _, root := range o.Roots {
		if err := w.add(root, root); err != nil {
			return err
		}
	}
	return w.run(ctx, changed)
}

type watcher struct {
	o    Options
	n    *fsnotify.Watcher
	dirs int
}

func (w *watcher) run(ctx context.Context, changed func(context.Context)) error {
	rest := time.NewTimer(0)
	rest.Stop()
	again := 0
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-rest.C:
			again = 0
			changed(ctx)
		case e, ok := <-w.n.Events:
			if !ok {
				return nil
			}
			if e.Op == fsnotify.Chmod || Ignored(filepath.Base(e.Name)) {
				continue
			}
			if e.Has(fsnotify.Create) {
				if err := w.created(e.Name); err != nil {
					return err
				}
			}
			if again++; again <= maxRest {
				rest.Reset(w.o.Rest)
			}
		case err, ok := <-w.n.Errors:
			if !ok {
				return nil
			}
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				return fmt.Errorf("watch: %w", err)
			}
			rest.Reset(w.o.Rest) // something was missed, so anything may have changed
		}
	}
}

// created watches a directory that has appeared, if it is one to be watched.
func (w *watcher) created(path string) error {
	info, err := os.Lstat(path)
	if err != nil || !info.IsDir() {
		return nil // gone again
	}
	for _, root := range w.o.Roots {
		if rel, err := filepath.Rel(root, path); err == nil && filepath.IsLocal(rel) {
			return w.add(root, path)
		}
	}
	return nil
}

// add watches a directory and those below it.
func (w *watcher) add(root, from string) error {
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			if path == root {
				return err
			}
			return nil // gone again, or not for us to read
		}
		if !e.IsDir() {
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if path != root && Ignored(e.Name()) || w.o.Depth > 0 && rel != "." && strings.Count(rel, string(filepath.Separator)) >= w.o.Depth {
			return fs.SkipDir
		}
		if w.dirs++; w.dirs > MaxDirs {
			return fmt.Errorf("watch %s: %w", root, ErrTooMany)
		}
		if err := w.n.Add(path); err != nil && (path == root || !errors.Is(err, fs.ErrNotExist)) {
			return fmt.Errorf("watch %s: %w", path, err)
		}
		return nil
	})
}

// Ignored names files and directories that are no source.
func Ignored(base string) bool {
	switch base {
	case "node_modules", "target", "dist", ".git", "4913":
		return true
	}
	return strings.HasSuffix(base, "~") || strings.HasSuffix(base, ".swp") || strings.HasSuffix(base, ".swx") ||
		strings.HasPrefix(base, ".#") || strings.HasPrefix(base, ".tmp-")
}
