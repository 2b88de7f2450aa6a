package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/vfs"
)

// filePlan plans one access to the file that raw names. do acts on the path that was
// decided: if something else stands there by then, it is not called.
func (h *Host) filePlan(ctx context.Context, f *frame, kind approval.Kind, raw []byte, size int, do func(location) ([]byte, error), checks ...func(location) error) (plan, error) {
	link := kind == approval.FSDelete // removing a link removes the link
	loc, err := h.locate(ctx, f, raw, link)
	refused := err
	if err != nil && !errors.Is(err, vfs.ErrEscape) {
		return plan{}, err
	}
	for _, check := range checks {
		if refused == nil {
			refused = check(loc)
		}
	}
	p := plan{
		end:    loc.release,
		action: fileAction(kind, loc, int64(size)),
		bounds: f.inst.capsule.Bounds.file(kind != approval.FSRead, loc),
		do: func(context.Context, approval.Grant) ([]byte, error) {
			if err := loc.unchanged(link); err != nil {
				return nil, err
			}
			loc.fs = loc.exact() // and nothing is followed from here on
			return do(loc)
		},
	}
	if refused != nil { // an attempt to get out is refused where it is recorded
		p.bounds = permit(func() (string, error) { return "", f.inst.capsule.Bounds.refuse("denied: %v", refused) })
	}
	return p, nil
}

// inside is vfs.ErrOutside for a file whose content the tree keeps from guests.
func inside(loc location) error {
	if t, ok := loc.fs.(interface{ IsOutside(name string) bool }); ok && t.IsOutside(loc.rel) {
		return fmt.Errorf("%s: %w", loc.abs, vfs.ErrOutside)
	}
	return nil
}

func (h *Host) planExists(ctx context.Context, f *frame, args [][]byte) (plan, error) {
	return h.filePlan(ctx, f, approval.FSRead, args[0], 0, func(loc location) ([]byte, error) {
		_, err := loc.fs.Stat(loc.rel)
		switch {
		case err == nil:
			return []byte("true"), nil
		case errors.Is(err, fs.ErrNotExist):
			return nil, nil
		}
		return nil, err
	})
}

func (h *Host) planReaddir(ctx context.Context, f *frame, args [][]byte) (plan, error) {
	return h.filePlan(ctx, f, approval.FSRead, args[0], 0, func(loc location) ([]byte, error) {
		entries, err := loc.fs.ReadDir(loc.rel)
		if err != nil {
			return nil, err
		}
		names := make([]string, 0, len(entries))
		for _, e := range entries {
			if loc.scheme == "home" && loc.rel == "." && hiddenInHome(e.Name()) {
				continue
			}
			if loc.scheme == "cwd" && h.svc.Gate.Conceals(loc.fs.Root(), filepath.Join(loc.abs, e.Name())) {
				continue
			}
			names = append(names, e.Name())
		}
		return encode(names)
	})
}

func (h *Host) planStat(ctx context.Context, f *frame, args [][]byte) (plan, error) {
	return h.filePlan(ctx, f, approval.FSRead, args[0], 0, func(loc location) ([]byte, error) {
		fi, err := loc.fs.Stat(loc.rel)
		if err != nil {
			return nil, err
		}
		st := abi.FileStat{IsDir: fi.IsDir(), Size: uint64(max(fi.Size(), 0))}
		if m := fi.ModTime().Unix(); m > 0 {
			st.Mtime = uint64(m)
		}
		return encode(st)
	})
}

func (h *Host) planReadFile(ctx context.Context, f *frame, args [][]byte) (plan, error) {
	return h.filePlan(ctx, f, approval.FSRead, args[0], 0, func(loc location) ([]byte, error) {
		return loc.fs.ReadFile(loc.rel, abi.MaxValue)
	}, inside)
}

func (h *Host) planWriteFile(ctx context.Context, f *frame, args [][]byte) (plan, error) {
	content := args[1]
	return h.filePlan(ctx, f, approval.FSWrite, args[0], len(content), func(loc location) ([]byte, error) {
		return nil, loc.fs.WriteFile(loc.rel, content, 0o644)
	})
}

func (h *Host) planMkdir(ctx context.Context, f *frame, args [][]byte) (plan, error) {
	return h.filePlan(ctx, f, approval.FSWrite, args[0], 0, func(loc location) ([]byte, error) {
		return nil, loc.fs.MkdirAll(loc.rel, 0o755)
	})
}

func (h *Host) planUnlink(ctx context.Context, f *frame, args [][]byte) (plan, error) {
	return h.filePlan(ctx, f, approval.FSDelete, args[0], 0, func(loc location) ([]byte, error) {
		if loc.rel == "." {
			return nil, abi.Errorf(abi.CodeInvalid, "the root of %s cannot be removed", loc.scheme)
		}
		return nil, loc.fs.Remove(loc.rel)
	})
}
