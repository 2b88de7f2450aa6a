package vfs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// OverlayOptions tunes an overlay; the zero value has no quota and DefaultMaxOpen handles.
type OverlayOptions struct {
	// StateDir holds what overlayfs has no place for; "" means upperDir + ".state". It must be on the upper's filesystem, and
	// no guest or sandboxed child may reach it.
	StateDir string
	// Quota bounds the content bytes of the upper layer; 0 means no bound. A write over it is ErrQuota. What a sandboxed child
	// writes through a kernel mount counts, but is not stopped.
	Quota int64
	// MaxOpen bounds the files open at one time; 0 means DefaultMaxOpen.
	MaxOpen int
	// HardLinks is asked about files of the workspace that have another name outside of it; nil means LinksPublic.
	HardLinks func() HardLinks
	// Now is the clock that dates the overlay's creation; nil means time.Now.
	Now func() time.Time

	format Format // tests choose one
}

// OverlayVfs is a copy-on-write view of a workspace. Reads run in parallel; a change waits for them and runs alone.
//
// The upper layer is not synced to disk: it survives the end of the process, not of the machine. Commit is synced.
type OverlayVfs struct {
	*overlay
	links int // symbolic links that a name may lead through
}

// Exact is the same view for names without links: one that leads through a link after all is ErrReplaced. What a gate
// decided about a resolved name must not be done to another file, because somebody put a link there meanwhile.
func (v *OverlayVfs) Exact() Vfs { return &OverlayVfs{v.overlay, 0} }

// overlay is what all views of one overlay share.
type overlay struct {
	marks
	lowerDir, upperDir, stateDir string
	low, up, stage, replaced     int // directory descriptors
	lock                         *os.File
	created                      int64 // Unix nanoseconds; the age of changes that nobody recorded
	opts                         OverlayOptions
	open                         handles
	base                         *baseStore
	outside                      outsiders

	mu     sync.RWMutex
	closed bool
	mount  *mounted   // while programs run in the tree
	past   []*HostVfs // mounts that ended while files were open in them

	closing atomic.Bool    // ends the sweeps
	sweeps  sync.WaitGroup // see sweep

	quota   sync.Mutex // serialises a quota check with the write it allows
	used    int64      // at least the upper layer's bytes, as far as this process wrote them
	writers map[fileID]int
}

type fileID struct{ dev, ino uint64 }

// header is the state directory's overlay.json.
type header struct {
	Version int    `json:"version"`
	Format  Format `json:"format"`
	Token   []byte `json:"token"`
	Lower   string `json:"lower"`
	Created int64  `json:"created"`
}

const headerVersion = 1

// NewOverlay opens the overlay of the directory lower and of upperDir, which is created when it does not exist. A commit that
// a crash interrupted is finished first. One OverlayVfs at a time may have an upper directory open (ErrInUse).
func NewOverlay(lower, upperDir string, o OverlayOptions) (*OverlayVfs, error) {
	v := &OverlayVfs{&overlay{opts: o, low: -1, up: -1, stage: -1, replaced: -1, writers: map[fileID]int{}}, maxLinks}
	if v.opts.Now == nil {
		v.opts.Now = time.Now
	}
	v.open.max = int64(o.MaxOpen)
	if o.MaxOpen <= 0 {
		v.open.max = DefaultMaxOpen
	}
	if err := v.init(lower, upperDir); err != nil {
		v.Close()
		return nil, fmt.Errorf("open overlay of %s in %s: %w", lower, upperDir, err)
	}
	return v, nil
}

func (v *OverlayVfs) init(lower, upperDir string) (err error) {
	if v.lowerDir, err = canonicalDir(lower); err != nil {
		return err
	}
	if err = makeUpper(v.lowerDir, upperDir); err != nil {
		return err
	}
	if v.upperDir, err = canonicalDir(upperDir); err != nil {
		return err
	}
	if v.stateDir = v.opts.StateDir; v.stateDir == "" {
		v.stateDir = v.upperDir + ".state"
	}
	if err = apart(v.lowerDir, v.upperDir); err != nil {
		return err
	}
	for _, dir := range []string{v.stateDir, v.stagePath(), v.replacedPath(), v.WorkDir()} {
		if err = os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	if err = v.takeLock(); err != nil {
		return err
	}
	if v.low, err = openDirAt(unix.AT_FDCWD, v.lowerDir); err != nil {
		return fmt.Errorf("open %s: %w", v.lowerDir, err)
	}
	if v.up, err = openDirAt(unix.AT_FDCWD, v.upperDir); err != nil {
		return fmt.Errorf("open %s: %w", v.upperDir, err)
	}
	if v.stage, err = openDirAt(unix.AT_FDCWD, v.stagePath()); err != nil {
		return fmt.Errorf("open %s: %w", v.stagePath(), err)
	}
	if v.replaced, err = openDirAt(unix.AT_FDCWD, v.replacedPath()); err != nil {
		return fmt.Errorf("open %s: %w", v.replacedPath(), err)
	}
	us, uerr := statFd(v.up)
	ss, serr := statFd(v.stage)
	if err = errors.Join(uerr, serr); err != nil {
		return err
	}
	if us.dev != ss.dev {
		return fmt.Errorf("state directory %s is on another filesystem than the upper directory", v.stateDir)
	}
	if err = errors.Join(v.clearStage(), v.sweep()); err != nil {
		return err
	}
	if err = v.loadHeader(); err != nil {
		return err
	}
	if v.base, err = openBase(filepath.Join(v.stateDir, "base.jsonl")); err != nil {
		return err
	}
	if err = v.recover(); err != nil {
		return fmt.Errorf("finish the interrupted commit: %w", err)
	}
	if err = v.resumeRestore(); err != nil {
		return fmt.Errorf("finish the interrupted restore: %w", err)
	}
	v.used, err = v.countBytes()
	return err
}

// makeUpper creates the upper directory with the workspace's own permissions, because it is what a view shows of the root.
func makeUpper(lower, upper string) error {
	if _, err := os.Lstat(upper); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	fi, err := os.Stat(lower)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(upper, 0o700); err != nil {
		return err
	}
	return os.Chmod(upper, fi.Mode().Perm()|0o700)
}

// apart refuses a workspace that contains its own upper layer or lies in it: the walk would never end.
func apart(lower, upper string) error {
	for _, pair := range [][2]string{{lower, upper}, {upper, lower}} {
		if rel, err := filepath.Rel(pair[0], pair[1]); err == nil && filepath.IsLocal(rel) {
			return fmt.Errorf("%s lies inside %s", pair[1], pair[0])
		}
	}
	return nil
}

func (v *OverlayVfs) stagePath() string { return filepath.Join(v.stateDir, "stage") }

// takeLock makes this process the overlay's only user. The kernel drops the lock when the process ends, however it ends.
func (v *OverlayVfs) takeLock() error {
	f, err := os.OpenFile(filepath.Join(v.stateDir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return ErrInUse
		}
		return err
	}
	v.lock = f
	return nil
}

// clearStage removes what a crash left half made.
func (v *OverlayVfs) clearStage() error {
	names, err := namesAt(v.stage)
	for _, n := range names {
		if err == nil {
			err = removeTree(v.stage, n)
		}
	}
	return err
}

func (v *OverlayVfs) loadHeader() error {
	file := filepath.Join(v.stateDir, "overlay.json")
	data, err := os.ReadFile(file)
	var h header
	switch {
	case errors.Is(err, fs.ErrNotExist):
		h = header{Version: headerVersion, Format: v.opts.format, Token: newToken(), Lower: v.lowerDir, Created: v.opts.Now().UnixNano()}
		if h.Format == "" {
			h.Format = probeFormat(v.stage)
		}
		if data, err = json.Marshal(h); err == nil {
			err = writeAtomic(file, data, false)
		}
	case err == nil:
		err = json.Unmarshal(data, &h)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", file, err)
	}
	if h.Version != headerVersion {
		return fmt.Errorf("%s has version %d, this program knows %d", file, h.Version, headerVersion)
	}
	if h.Lower != v.lowerDir {
		return fmt.Errorf("the upper layer belongs to %s", h.Lower)
	}
	v.marks = marks{format: h.Format, token: h.Token}
	v.created = h.Created
	return nil
}

// writeAtomic replaces a file of the state directory, all or nothing. With sync it is on disk when this returns.
func writeAtomic(file string, data []byte, sync bool) error {
	f, err := os.CreateTemp(filepath.Dir(file), tempPrefix)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil && sync {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		os.Remove(f.Name())
		return err
	}
	if !sync {
		return nil
	}
	return syncPath(filepath.Dir(file))
}

func syncPath(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Root implements Vfs: the workspace, whose paths the overlay stands for.
func (v *OverlayVfs) Root() string { return v.lowerDir }

// LowerDir is the workspace, for the lowerdir of a kernel mount.
func (v *OverlayVfs) LowerDir() string { return v.lowerDir }

// UpperDir is the overlayfs upper directory. Mount it with lowerdir=LowerDir, workdir=WorkDir and userxattr, within Mount.
func (v *OverlayVfs) UpperDir() string { return v.upperDir }

// WorkDir is a directory for a kernel mount's workdir.
func (v *OverlayVfs) WorkDir() string { return filepath.Join(v.stateDir, "work") }

// Close implements Vfs. The changes stay on disk for the next NewOverlay.
func (v *OverlayVfs) Close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return ErrClosed
	}
	v.closed = true
	v.closing.Store(true)
	v.sweeps.Wait()
	var err error
	if v.base != nil {
		err = v.base.close()
	}
	for _, fd := range []int{v.low, v.up, v.stage, v.replaced} {
		if fd >= 0 {
			err = errors.Join(err, unix.Close(fd))
		}
	}
	if v.lock != nil {
		err = errors.Join(err, v.lock.Close())
	}
	return err
}

func (v *OverlayVfs) fail(op, name string, err error) error {
	if err == nil {
		return nil
	}
	if pe, ok := err.(*fs.PathError); ok { // not one further inside: what is around it says more
		err = pe.Err
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// reading and changing run one operation on a cleaned name under the right lock.
func (v *OverlayVfs) reading(op, name string, f func(p string) error) error {
	p, err := v.clean(name)
	if err == nil {
		v.mu.RLock()
		defer v.mu.RUnlock()
		if err = ErrClosed; !v.closed {
			err = f(p)
		}
	}
	return v.fail(op, name, err)
}

func (v *OverlayVfs) changing(op, name string, f func(p string) error) error {
	p, err := v.clean(name)
	if err == nil {
		v.mu.Lock()
		defer v.mu.Unlock()
		if err = ErrClosed; !v.closed {
			err = f(p)
		}
	}
	return v.fail(op, name, err)
}

func (v *OverlayVfs) clean(name string) (string, error) {
	p, err := cleanName(name)
	if err == nil && v.format == FormatFiles && hasPart(p, opaqueName) {
		err = ErrName
	}
	return p, err
}
