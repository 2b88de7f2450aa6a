package host

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
)

// readPlan plans an access that changes nothing.
func (h *Host) readPlan(ctx context.Context, f *frame, path []byte, do func(location) ([]byte, error)) (plan, error) {
	loc, err := h.locate(ctx, f, path, false)
	if err != nil {
		return plan{}, err
	}
	return plan{
		action: fileAction(approval.FSRead, "read", loc, 0),
		bounds: f.inst.capsule.Bounds.file(false, loc),
		do:     func(context.Context, approval.Grant) ([]byte, error) { return do(loc) },
	}, nil
}

func (h *Host) planExists(ctx context.Context, f *frame, args [][]byte) (plan, error) {
	return h.readPlan(ctx, f, args[0], func(loc location) ([]byte, error) {
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
	return h.readPlan(ctx, f, args[0], func(loc location) ([]byte, error) {
		entries, err := loc.fs.ReadDir(loc.rel)
		if err != nil {
			return nil, err
		}
		names := make([]string, 0, len(entries))
		for _, e := range entries {
			if loc.scheme == "home" && loc.rel == "." && hiddenInHome(e.Name()) {
				continue
			}
			names = append(names, e.Name())
		}
		return json.Marshal(names)
	})
}

func (h *Host) planStat(ctx context.Context, f *frame, args [][]byte) (plan, error) {
	return h.readPlan(ctx, f, args[0], func(loc location) ([]byte, error) {
		fi, err := loc.fs.Stat(loc.rel)
		if err != nil {
			return nil, err
		}
		st := abi.FileStat{IsDir: fi.IsDir(), Size: uint64(max(fi.Size(), 0))}
		if m := fi.ModTime().Unix(); m > 0 {
			st.Mtime = uint64(m)
		}
		return json.Marshal(st)
	})
}

func (h *Host) planReadFile(ctx context.Context, f *frame, args [][]byte) (plan, error) {
	return h.readPlan(ctx, f, args[0], func(loc location) ([]byte, error) {
		return loc.fs.ReadFile(loc.rel, abi.MaxValue)
	})
}

func (h *Host) planWriteFile(ctx context.Context, f *frame, args [][]byte) (plan, error) {
	loc, err := h.locate(ctx, f, args[0], false)
	if err != nil {
		return plan{}, err
	}
	content := args[1]
	return plan{
		action: fileAction(approval.FSWrite, "write", loc, int64(len(content))),
		bounds: f.inst.capsule.Bounds.file(true, loc),
		do: func(context.Context, approval.Grant) ([]byte, error) {
			return nil, loc.fs.WriteFile(loc.rel, content, 0o644)
		},
	}, nil
}

func (h *Host) planMkdir(ctx context.Context, f *frame, args [][]byte) (plan, error) {
	loc, err := h.locate(ctx, f, args[0], false)
	if err != nil {
		return plan{}, err
	}
	return plan{
		action: fileAction(approval.FSWrite, "write", loc, 0),
		bounds: f.inst.capsule.Bounds.file(true, loc),
		do: func(context.Context, approval.Grant) ([]byte, error) {
			return nil, loc.fs.MkdirAll(loc.rel, 0o755)
		},
	}, nil
}

func (h *Host) planUnlink(ctx context.Context, f *frame, args [][]byte) (plan, error) {
	loc, err := h.locate(ctx, f, args[0], true)
	if err != nil {
		return plan{}, err
	}
	if loc.rel == "." {
		return plan{}, abi.Errorf(abi.CodeInvalid, "the root of %s:// cannot be removed", loc.scheme)
	}
	return plan{
		action: fileAction(approval.FSDelete, "delete", loc, 0),
		bounds: f.inst.capsule.Bounds.file(true, loc),
		do: func(context.Context, approval.Grant) ([]byte, error) {
			return nil, loc.fs.Remove(loc.rel)
		},
	}, nil
}
