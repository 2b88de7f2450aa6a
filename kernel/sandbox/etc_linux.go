package sandbox

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Limits of the copy of /etc. What is beyond them is left out: no program needs all of it.
const (
	maxEtc     = 32 << 20 // bytes together
	maxEtcFile = 8 << 20
)

// stageEtc mounts a small file system with copies of what children see of /etc. One mount for a child instead of one for each entry
// makes it start twice as fast. It is mounted over a directory whose own path nobody in this namespace needs.
func stageEtc(over string) error {
	if err := unix.Mount("etc", over, "tmpfs", unix.MS_NODEV|unix.MS_NOSUID|unix.MS_NOEXEC, fmt.Sprintf("size=%d,mode=755", 2*maxEtc)); err != nil {
		return fmt.Errorf("mount a copy of /etc: %w", err)
	}
	left := int64(maxEtc)
	for _, name := range etcFiles {
		if err := stageEntry(filepath.Join("/etc", name), filepath.Join(over, name), &left); err != nil {
			return fmt.Errorf("copy /etc/%s: %w", name, err)
		}
	}
	// Children with a network get the machine's in its place.
	if err := os.WriteFile(filepath.Join(over, "resolv.conf"), nil, 0o644); err != nil {
		return err
	}
	return unix.Mount("etc", over, "", unix.MS_REMOUNT|unix.MS_RDONLY|unix.MS_NODEV|unix.MS_NOSUID|unix.MS_NOEXEC, "")
}

// stageEntry copies a file, or a directory with what is in it. A link at the top is followed, as a mount would. What the keeper may
// not read is left out, as is what disappears meanwhile.
func stageEntry(from, to string, left *int64) error {
	real, err := filepath.EvalSymlinks(from)
	if err != nil {
		return ignoreHidden(err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return filepath.WalkDir(real, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return ignoreHidden(err)
		}
		rel, err := filepath.Rel(real, p)
		if err != nil {
			return err
		}
		return ignoreHidden(stageOne(p, filepath.Join(to, rel), d, left))
	})
}

func stageOne(from, to string, d fs.DirEntry, left *int64) error {
	fi, err := d.Info()
	switch {
	case err != nil:
		return err
	case fi.IsDir():
		return os.Mkdir(to, 0o755)
	case fi.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	case !fi.Mode().IsRegular() || fi.Size() > min(maxEtcFile, *left):
		return nil
	}
	src, err := os.OpenFile(from, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fi.Mode().Perm())
	if err != nil {
		return err
	}
	n, err := io.Copy(dst, io.LimitReader(src, *left))
	*left -= n
	return errors.Join(err, dst.Close())
}

func ignoreHidden(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return err
}
