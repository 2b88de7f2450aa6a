package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
)

// ErrMounted: the kernel shows the tree to running programs, so its layers stay as they are.
var ErrMounted = errors.New("programs are running in the session's files")

// Mounted is a kernel mount of an overlay's layers, as seen by this process.
type Mounted struct {
	Dir string // a directory that shows the mount
	// Refresh makes the mount forget what it knows of names, so that what changed in the workspace itself shows.
	Refresh func() error
}

type mounted struct {
	fs      *HostVfs
	refresh func() error
}

// Mount hands the tree over to a kernel mount. do mounts the layers (UpperDir tells how). From then on what is written goes through
// the mount, so that running programs see it; reads go to the layers as before, and see at once what programs and the user
// write. Commit and Discard are ErrMounted until Unmount.
func (v *OverlayVfs) Mount(do func() (Mounted, error)) error {
	return v.changing("mount", ".", func(string) error {
		if v.mount != nil {
			return ErrMounted
		}
		if v.format != FormatOverlayfs {
			return fmt.Errorf("the filesystem of %s cannot hold deletions as the kernel wants them (format %s): put Astrid's home on ext4, xfs, btrfs or tmpfs",
				v.upperDir, v.format)
		}
		// Root's mount knows all users. Another one knows but its own, and could not copy the files of others up.
		if os.Geteuid() != 0 {
			pl, err := v.rootPlace()
			if err == nil {
				err = v.copyUpForeign(&pl, ".")
			}
			if err != nil {
				return fmt.Errorf("copy up what belongs to others: %w", err)
			}
		}
		m, err := do()
		if err != nil {
			return err
		}
		root, err := os.OpenRoot(m.Dir)
		if err != nil {
			return err
		}
		h := &HostVfs{root: root, abs: v.lowerDir, opts: HostOptions{HardLinks: true, NoSync: true}}
		h.open.max = v.open.max
		h.escape = escapeError(root)
		v.mount = &mounted{h, m.Refresh}
		return nil
	})
}

// Unmount takes the tree back. do ends the mount.
func (v *OverlayVfs) Unmount(do func() error) error {
	return v.changing("unmount", ".", func(string) error {
		if v.mount == nil {
			return nil
		}
		err := errors.Join(v.mount.fs.Close(), do())
		if v.mount.fs.open.n.Load() > 0 {
			v.past = append(v.past, v.mount.fs)
		}
		v.mount = nil
		used, cerr := v.countBytes()
		if cerr == nil {
			v.quota.Lock()
			v.used = used
			v.quota.Unlock()
		}
		return errors.Join(err, cerr)
	})
}

// isHeld tells whether a file is open in a mount that has ended. It may be any, and what is written to it goes to the upper layer.
func (v *OverlayVfs) isHeld() bool {
	v.past = slices.DeleteFunc(v.past, func(m *HostVfs) bool { return m.open.n.Load() == 0 })
	return len(v.past) > 0
}

// Used is the size of the upper layer's content, in bytes, counted now.
func (v *OverlayVfs) Used() (n int64, err error) {
	err = v.changing("usage", ".", func(string) (err error) {
		n, err = v.countBytes()
		return err
	})
	return n, err
}

// writing is changing for an operation that a mount can do as well.
func (v *OverlayVfs) writing(op, name string, through func(*HostVfs) error, f func(p string) error) error {
	p, err := v.clean(name)
	if err != nil {
		return v.fail(op, name, err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.closed:
		err = ErrClosed
	case v.mount == nil:
		err = f(p)
	default:
		if err = v.mount.refresh(); err == nil {
			return through(v.mount.fs)
		}
	}
	return v.fail(op, name, err)
}

// alone is changing for an operation on the whole tree.
func (v *OverlayVfs) alone(op string, f func() error) error {
	return v.changing(op, ".", func(string) error { return f() })
}

// layers is alone for an operation that changes the layers themselves.
func (v *OverlayVfs) layers(op string, f func() error) error {
	return v.alone(op, func() error {
		if v.mount != nil {
			return ErrMounted
		}
		return f()
	})
}

// writeThrough is WriteFile, parents included.
func (v *OverlayVfs) writeThrough(m *HostVfs, name string, data []byte, perm fs.FileMode) error {
	if err := v.reserve(int64(len(data))); err != nil {
		return v.fail("write", name, err)
	}
	if p, err := cleanName(name); err == nil && path.Dir(p) != "." {
		if err := m.MkdirAll(path.Dir(p), 0o777); err != nil {
			return err
		}
	}
	return m.WriteFile(name, data, perm)
}
