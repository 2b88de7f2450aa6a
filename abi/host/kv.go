package host

import (
	"context"
	"errors"
	"io/fs"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/unicity-astrid/astrid-go/abi"
)

func (h *Host) space(f *frame) Space { return h.svc.KV(f.call.Principal, f.inst.capsule.ID) }

// kvKey checks a key. Prefixes may be empty.
func kvKey(raw []byte, prefix bool) (string, error) {
	key := string(raw)
	switch {
	case !utf8.ValidString(key):
		return "", abi.Errorf(abi.CodeInvalid, "key %q is not valid UTF-8", raw)
	case strings.ContainsRune(key, 0):
		return "", abi.Errorf(abi.CodeInvalid, "key %q must not contain NUL", raw)
	case key == "" && !prefix:
		return "", abi.Errorf(abi.CodeInvalid, "key must not be empty")
	}
	return key, nil
}

func (h *Host) kvGet(ctx context.Context, f *frame, args [][]byte) ([]byte, error) {
	key, err := kvKey(args[0], false)
	if err != nil {
		return nil, err
	}
	v, err := h.space(f).Get(ctx, key)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, abi.ErrNotFound) {
		return nil, nil // a missing key is an empty value, as the contract says
	}
	return v, err
}

func (h *Host) kvSet(ctx context.Context, f *frame, args [][]byte) ([]byte, error) {
	key, err := kvKey(args[0], false)
	if err != nil {
		return nil, err
	}
	return nil, h.space(f).Put(ctx, key, Clone(args[1]))
}

func (h *Host) kvDelete(ctx context.Context, f *frame, args [][]byte) ([]byte, error) {
	key, err := kvKey(args[0], false)
	if err != nil {
		return nil, err
	}
	return nil, h.space(f).Delete(ctx, key)
}

func (h *Host) kvList(ctx context.Context, f *frame, args [][]byte) ([]byte, error) {
	prefix, err := kvKey(args[0], true)
	if err != nil {
		return nil, err
	}
	keys, err := h.space(f).List(ctx, prefix)
	if err != nil {
		return nil, err
	}
	if keys == nil {
		keys = []string{} // [], not null
	}
	return encode(keys)
}

func (h *Host) kvClear(ctx context.Context, f *frame, args [][]byte) ([]byte, error) {
	prefix, err := kvKey(args[0], true)
	if err != nil {
		return nil, err
	}
	n, err := h.space(f).ClearPrefix(ctx, prefix)
	if err != nil {
		return nil, err
	}
	return strconv.AppendInt(nil, int64(n), 10), nil
}
