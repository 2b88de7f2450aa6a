package kernel

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/vfs"
)

const (
	// diffPiece is the most text of one answer, in bytes. In base64 it stays below a frame.
	diffPiece = 7 << 20
	// maxDiff bounds the files that are compared for one request, in bytes: the text of a
	// diff is made in memory.
	maxDiff = 32 << 20
	// maxDiffFile is the largest file, in bytes, whose lines [vfs.OverlayVfs.Diff] compares.
	maxDiffFile = 4 << 20
)

// overlayDiff answers a piece of the diff of the selected changes. A client that wants the
// diff of many asks for some paths at a time.
func (k *Kernel) overlayDiff(ctx context.Context, principal string, raw json.RawMessage) (any, error) {
	var p abi.OverlaySelector
	if err := params(abi.MethodOverlayDiff, raw, &p); err != nil {
		return nil, err
	}
	text := ""
	err := k.files.use(ctx, principal, p.Session, func(v *vfs.OverlayVfs) error {
		list, err := v.Changes(p.Paths...)
		if err != nil {
			return err
		}
		size := int64(0)
		for _, c := range list {
			if c.OldSize <= maxDiffFile && c.NewSize <= maxDiffFile {
				size += c.OldSize + c.NewSize
			}
		}
		if size > maxDiff {
			return fmt.Errorf("%d changes of together %d MiB are too much for one diff: name fewer paths", len(list), size>>20)
		}
		text, err = v.Diff(p.Paths...)
		return err
	})
	if err != nil {
		return nil, err
	}
	if p.Offset < 0 || p.Offset > len(text) {
		return nil, fmt.Errorf("offset %d is outside the diff of %d bytes", p.Offset, len(text))
	}
	sum := sha256.Sum256([]byte(text))
	end := min(len(text), p.Offset+diffPiece)
	return abi.OverlayDiff{Text: []byte(text[p.Offset:end]), Total: len(text), Sum: hex.EncodeToString(sum[:])}, nil
}
