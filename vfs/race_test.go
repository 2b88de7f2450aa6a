package vfs

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestSwapRace swaps a directory for a link to the outside while a guest works in it.
func TestSwapRace(t *testing.T) {
	for _, where := range []string{"host", "lower", "upper"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			tr := newTrap(t)
			before := tr.outside(t)
			swapIn := tr.root
			var v Vfs
			var err error
			if where == "host" {
				v, err = NewHost(tr.root, HostOptions{NoSync: true})
			} else {
				upper := filepath.Join(tr.outer, "x/upper")
				if where == "upper" {
					swapIn = upper
				}
				v, err = NewOverlay(tr.root, upper, OverlayOptions{})
			}
			must(t, err)
			defer v.Close()
			d, real, link := filepath.Join(swapIn, "d"), filepath.Join(swapIn, "real"), filepath.Join(swapIn, "link")
			must(t, os.Mkdir(d, 0o755))
			must(t, os.WriteFile(filepath.Join(d, "secret"), []byte("inside"), 0o644))
			must(t, os.Symlink("../../out", link))
			stop, stopped := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(stopped)
				for {
					select {
					case <-stop:
						return
					default:
					}
					os.Rename(d, real)
					os.Rename(link, d)
					os.Rename(d, link)
					os.Rename(real, d)
				}
			}()
			for i := range 3000 {
				if data, _ := v.ReadFile("d/secret", 0); strings.Contains(string(data), secret) {
					t.Fatal("read the outside")
				}
				switch i % 6 {
				case 0:
					v.WriteFile("d/secret", []byte("by guest"), 0o644)
				case 1:
					v.WriteFile(fmt.Sprintf("d/new%d", i), nil, 0o644)
				case 2:
					v.MkdirAll("d/dir/made", 0o755)
				case 3:
					v.Chmod("d/secret", 0o777)
				case 4:
					v.Rename("d/secret", "d/moved")
				case 5:
					v.RemoveAll("d/dir")
				}
				if o, ok := v.(*OverlayVfs); ok && i%500 == 499 {
					o.Commit(CommitOptions{OnConflict: Ours})
				}
			}
			close(stop)
			<-stopped
			if d := diffTrees(before, tr.outside(t)); d != "" {
				t.Errorf("the outside changed:\n%s", d)
			}
		})
	}
}

// TestHammer has many goroutines change the same few paths; -race watches the locks. Whatever the order, each read sees one
// writer's whole content.
func TestHammer(t *testing.T) {
	v, _ := newOverlay(t, OverlayOptions{Quota: 1 << 20, MaxOpen: 1000})
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			content := []byte(strings.Repeat(string(rune('a'+g)), 3000))
			for i := range 60 {
				name := fmt.Sprintf("d/f%d", i%4)
				switch (i + g) % 8 {
				case 0, 1:
					if err := v.WriteFile(name, content, 0o644); err != nil {
						t.Errorf("write: %v", err)
					}
				case 2:
					v.Remove(name)
				case 3:
					v.Rename(name, fmt.Sprintf("d/f%d", g%4))
				case 4:
					if f, err := v.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644); err == nil {
						f.Stat()
						f.Close()
					}
				case 5:
					if _, err := v.Changes(); err != nil {
						t.Errorf("changes: %v", err)
					}
				case 6:
					if i%20 == 0 {
						if _, err := v.Commit(CommitOptions{OnConflict: Ours}); err != nil {
							t.Errorf("commit: %v", err)
						}
					} else if i%20 == 10 {
						if err := v.Discard("d/f1"); err != nil {
							t.Errorf("discard: %v", err)
						}
					}
				case 7:
					v.ReadDir("d")
				}
				data, err := v.ReadFile(name, 0)
				if err == nil && len(data) > 0 && (len(data) != 3000 || strings.Count(string(data), string(data[:1])) != 3000) {
					t.Errorf("a torn read of %d bytes", len(data))
				}
			}
		})
	}
	wg.Wait()
	if len(v.writers) != 0 || v.open.n.Load() != 0 {
		t.Errorf("handles left: %v, %d", v.writers, v.open.n.Load())
	}
}

// randomChanges does n changes, whose errors do not matter.
func randomChanges(rng *rand.Rand, v Vfs, n int) {
	name := func() string {
		parts := make([]string, 1+rng.IntN(3))
		for i := range parts {
			parts[i] = string("abcde"[rng.IntN(5)])
		}
		return strings.Join(parts, "/")
	}
	for range n {
		p := name()
		switch rng.IntN(7) {
		case 0:
			v.MkdirAll(p, 0o755)
		case 1:
			v.WriteFile(p, []byte("overlay "+p), 0o644)
		case 2:
			v.RemoveAll(p)
		case 3, 4:
			v.Rename(p, name())
		case 5:
			v.Symlink("b", p)
		case 6:
			v.Chmod(p, 0o711)
		}
	}
}
