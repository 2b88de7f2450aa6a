package vfs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// A commit runs in two phases. Preparing brings every new file to a temporary name in the workspace, as a link or a copy; a crash there is rolled
// back by deleting those names. Then the journal is switched to applying, which is the commit's moment: from there on renames
// and deletions only, each of which can be repeated, and a crash is rolled forward. A path that somebody changed between the
// crash and the recovery is left alone and stays a change of the overlay.

type phase string

const (
	preparing phase = "prepare"
	applying  phase = "apply"
)

const journalVersion = 1

type journal struct {
	Version int    `json:"version"`
	Phase   phase  `json:"phase"`
	Steps   []step `json:"steps"`
}

type stepKind string

const (
	stepDelete stepKind = "delete"
	stepMkdir  stepKind = "mkdir"
	stepPlace  stepKind = "place" // rename Temp to Path
	stepMode   stepKind = "mode"  // of a directory
)

type step struct {
	Kind  stepKind    `json:"kind"`
	Path  diskName    `json:"path"`
	Temp  diskName    `json:"temp,omitempty"`
	Mode  fs.FileMode `json:"mode,omitempty"`
	Mtime int64       `json:"mtime,omitempty"` // of a new directory, Unix nanoseconds
	// Was is what the workspace has at Path before the step.
	Was baseRecord `json:"was"`
}

const journalName = "journal.json"

func (v *OverlayVfs) journalPath() string { return filepath.Join(v.stateDir, journalName) }

// plan orders the steps: deletions from the leaves, directories from the root, files, and directories' modes last because a
// new mode may forbid to write.
func (v *OverlayVfs) plan(list []Change) (*journal, error) {
	var dels, dirs, files, modes []step
	for _, c := range list {
		st, err := v.lowerStat(c.Path)
		if err != nil {
			return nil, err
		}
		s := step{Path: diskName(c.Path), Was: makeRecord(c.Path, st), Mode: c.New}
		if st != nil && (c.Op == Deleted || st.isDir() != c.New.IsDir()) {
			d := s
			d.Kind = stepDelete
			dels = append(dels, d)
			s.Was = makeRecord(c.Path, nil)
		}
		switch {
		case c.Op == Deleted:
		case c.New.IsDir():
			m := s
			m.Kind = stepMode
			if st == nil || !st.isDir() {
				s.Kind = stepMkdir
				dirs = append(dirs, s)
				if m.Mtime, err = v.upperTime(c.Path); err != nil {
					return nil, err
				}
			}
			modes = append(modes, m)
		default:
			s.Kind = stepPlace
			dir, err := v.nearestDir(path.Dir(c.Path))
			if err != nil {
				return nil, err
			}
			s.Temp = diskName(path.Join(dir, tempName()))
			files = append(files, s)
		}
	}
	slices.Reverse(dels) // the list is sorted, so what is inside comes before its directory now
	slices.Reverse(modes)
	return &journal{Version: journalVersion, Steps: slices.Concat(dels, dirs, files, modes)}, nil
}

func (v *OverlayVfs) upperTime(p string) (int64, error) {
	st, err := lookAt(v.up, p)
	if err != nil || st == nil {
		return 0, err
	}
	return st.mtime, nil
}

// nearestDir is the deepest directory of the workspace at or above p.
func (v *OverlayVfs) nearestDir(p string) (string, error) {
	for ; p != "."; p = path.Dir(p) {
		st, err := v.lowerStat(p)
		if err != nil {
			return "", err
		}
		if st != nil && st.isDir() {
			break
		}
	}
	return p, nil
}

// syncEach is up to how many files of a commit are synced, and freed, one by one: each waits for the disk. Beyond that the whole
// filesystem is synced, once, where that is possible, and files are freed later.
const syncEach = 64

func (j *journal) isLarge() bool {
	files := 0
	for _, s := range j.Steps {
		if s.Kind == stepPlace {
			files++
		}
	}
	return files > syncEach
}

// run does a planned commit.
func (v *OverlayVfs) run(j *journal) error {
	j.Phase = preparing
	err := v.writeJournal(j)
	together := canSyncTogether && j.isLarge()
	for i := range j.Steps {
		if err == nil && j.Steps[i].Kind == stepPlace {
			if err = v.prepare(&j.Steps[i], together); err != nil {
				err = fmt.Errorf("prepare %s: %w", j.Steps[i].Path, err)
			}
		}
	}
	if err == nil && together {
		if err = syncTogether(v.low); err != nil {
			err = fmt.Errorf("sync %s: %w", v.lowerDir, err)
		}
	}
	if err == nil {
		j.Phase = applying
		if err = v.writeJournal(j); err != nil {
			j.Phase = preparing
		}
	}
	if err != nil {
		return errors.Join(err, v.rollBack(j))
	}
	return v.finish(j)
}

func (v *OverlayVfs) writeJournal(j *journal) error {
	data, err := json.Marshal(j)
	if err == nil {
		err = writeAtomic(v.journalPath(), data, true)
	}
	return err
}

func (v *OverlayVfs) removeJournal() error {
	if err := os.Remove(v.journalPath()); err != nil {
		return err
	}
	return syncPath(v.stateDir)
}

// recover finishes or undoes what a crash interrupted.
func (v *OverlayVfs) recover() error {
	data, err := os.ReadFile(v.journalPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	j, err := parseJournal(data)
	if err != nil {
		return fmt.Errorf("read %s: %w", v.journalPath(), err)
	}
	if j.Phase == applying {
		return v.finish(j)
	}
	return v.rollBack(j)
}

// parseJournal checks what recovery is going to trust. The journal is replaced whole, so a torn one means damage.
func parseJournal(data []byte) (*journal, error) {
	var j journal
	if err := json.Unmarshal(data, &j); err != nil {
		return nil, err
	}
	if j.Version != journalVersion {
		return nil, fmt.Errorf("version %d, this program knows %d", j.Version, journalVersion)
	}
	if j.Phase != preparing && j.Phase != applying {
		return nil, fmt.Errorf("unknown phase %q", j.Phase)
	}
	for _, s := range j.Steps {
		switch s.Kind {
		case stepDelete, stepMkdir, stepPlace, stepMode:
		default:
			return nil, fmt.Errorf("unknown step %q", s.Kind)
		}
		if !insideName(string(s.Path)) {
			return nil, fmt.Errorf("step for %q: %w", s.Path, ErrEscape)
		}
		if s.Kind == stepPlace && (!insideName(string(s.Temp)) || !strings.HasPrefix(path.Base(string(s.Temp)), tempPrefix)) {
			return nil, fmt.Errorf("temporary name %q: %w", s.Temp, ErrEscape)
		}
	}
	return &j, nil
}

// insideName is fs.ValidPath without its demand for UTF-8, and without the root.
func insideName(p string) bool {
	return p != "." && p != "" && p[0] != '/' && path.Clean(p) == p && p != ".." && !strings.HasPrefix(p, "../") && !strings.Contains(p, "\x00")
}

// rollBack undoes a commit that was still preparing.
func (v *OverlayVfs) rollBack(j *journal) error {
	for _, s := range j.Steps {
		if s.Kind != stepPlace {
			continue
		}
		if err := v.dropTemp(&s); err != nil {
			return err
		}
	}
	return ignoreNotExist(v.removeJournal())
}

func ignoreNotExist(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (v *OverlayVfs) dropTemp(s *step) error {
	dir, err := descend(v.low, path.Dir(string(s.Temp)))
	if err == nil {
		defer unix.Close(dir)
		err = unix.Unlinkat(dir, path.Base(string(s.Temp)), 0)
	}
	if isMissing(err) {
		return nil
	}
	return err
}

// prepare brings an upper file or link to its temporary name in the workspace. With together the caller syncs the workspace's
// filesystem.
func (v *OverlayVfs) prepare(s *step, together bool) error {
	up, err := descend(v.up, path.Dir(string(s.Path)))
	if err != nil {
		return err
	}
	defer unix.Close(up)
	low, err := descend(v.low, path.Dir(string(s.Temp)))
	if err != nil {
		return err
	}
	defer unix.Close(low)
	name, temp := path.Base(string(s.Path)), path.Base(string(s.Temp))
	st, err := statAt(up, name)
	if err != nil {
		return err
	}
	if st.isLink() {
		target, err := readlinkAt(up, name)
		if err == nil {
			err = unix.Symlinkat(target, low, temp)
		}
		return err
	}
	if done, err := v.link(s, up, low, together); done {
		return err
	}
	src, st, err := openFileAt(up, name, unix.O_RDONLY)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := createAt(low, temp, 0o600)
	if err != nil {
		return err
	}
	defer dst.Close()
	if _, err := io.Copy(dst, src); err != nil {
		return err
	}
	if err := v.keepAttrs(string(s.Path), src, dst); err != nil {
		return err
	}
	if err := dress(low, temp, dst, st, true); err != nil {
		return err
	}
	if old, err := v.lowerStat(string(s.Path)); err == nil && old != nil && old.isFile() {
		if err := takeOwner(dst, st, old); err != nil {
			return err
		}
	}
	return v.syncPrepared(dst, together)
}

// keepAttrs gives a file of the workspace the attributes of the one it replaces, a new one the overlay's.
func (v *OverlayVfs) keepAttrs(p string, src, dst *os.File) error {
	dir, err := descend(v.low, path.Dir(p))
	if err == nil {
		defer unix.Close(dir)
		var old *os.File
		if old, _, err = openFileAt(dir, path.Base(p), unix.O_RDONLY); err == nil {
			defer old.Close()
			src = old
		}
	}
	if err != nil && !isMissing(err) && ignoreDenied(err) != nil && !errors.Is(err, unix.ENXIO) {
		return err
	}
	copyAttrs(int(src.Fd()), int(dst.Fd()))
	return nil
}

// finish applies all steps, takes what was committed out of the upper layer and closes the journal.
func (v *OverlayVfs) finish(j *journal) error {
	dirs := map[string]bool{}
	large := j.isLarge()
	for i := range j.Steps {
		s := &j.Steps[i]
		if err := v.apply(s, large); err != nil {
			return fmt.Errorf("%s %s: %w", s.Kind, s.Path, err)
		}
		dirs[path.Dir(string(s.Path))] = true
	}
	for dir := range dirs {
		fd, err := descend(v.low, dir)
		if isMissing(err) {
			continue // deleted, or somebody replaced it
		}
		if err == nil {
			err = unix.Fsync(fd)
			unix.Close(fd)
		}
		if err != nil {
			return err
		}
	}
	var paths []string
	for _, s := range j.Steps {
		paths = append(paths, string(s.Path))
	}
	if err := v.settle(paths); err != nil {
		return err
	}
	if err := v.removeJournal(); err != nil || !large {
		return err
	}
	return v.sweep()
}

// apply does one step, or finds that it was done. A path that is no longer as planned is left alone.
func (v *OverlayVfs) apply(s *step, spare bool) error {
	if s.Kind == stepPlace {
		return v.applyPlace(s, spare)
	}
	dir, err := descend(v.low, path.Dir(string(s.Path)))
	if isMissing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	name := path.Base(string(s.Path))
	st, err := lowerEntry(dir, name)
	if err != nil {
		return err
	}
	switch {
	case s.Kind == stepDelete && st != nil && s.Was.alike(st):
		if !st.isDir() {
			if spare {
				v.spare(dir, name, st)
			}
			return ignoreMissing(unix.Unlinkat(dir, name, 0))
		}
		err := unix.Unlinkat(dir, name, unix.AT_REMOVEDIR)
		if errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.EEXIST) {
			return nil // something in it is not ours
		}
		return ignoreMissing(err)
	case s.Kind == stepMkdir && st == nil:
		return unix.Mkdirat(dir, name, 0o700)
	case s.Kind == stepMode && st != nil && st.isDir():
		if s.Mtime != 0 {
			if err := setTime(dir, name, s.Mtime); err != nil {
				return err
			}
		}
		// Permission bits are the overlay's; a set-group-id or sticky bit stays the workspace's.
		return chmodAt(dir, name, unixMode(st.mode)&^0o777|uint32(s.Mode.Perm()))
	}
	return nil
}

// applyPlace renames the temporary file over the path, if that is still what it was.
func (v *OverlayVfs) applyPlace(s *step, spare bool) error {
	from, err := descend(v.low, path.Dir(string(s.Temp)))
	if isMissing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(from)
	temp := path.Base(string(s.Temp))
	if _, err := statAt(from, temp); err != nil {
		return ignoreMissing(err) // done before the crash
	}
	to, err := descend(v.low, path.Dir(string(s.Path)))
	if isMissing(err) {
		return v.dropTemp(s)
	}
	if err != nil {
		return err
	}
	defer unix.Close(to)
	name := path.Base(string(s.Path))
	st, err := lowerEntry(to, name)
	if err != nil {
		return err
	}
	if !s.Was.alike(st) {
		return v.dropTemp(s)
	}
	if spare {
		v.spare(to, name, st)
	}
	return unix.Renameat(from, temp, to, name)
}

// alike is same without ctime, which a commit's own steps move (deleting one of two hard links).
func (r *baseRecord) alike(st *stat) bool {
	if st == nil || !r.There || st.isDir() {
		return r.same(st)
	}
	return r.Mode == st.mode && r.Size == st.size && r.Mtime == st.mtime && r.Ino == st.ino
}
