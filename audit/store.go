package audit

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Store holds the segments of each principal's chain. [NewFileStore] is the usual one.
//
// Segments are named by [SegmentName]; the log never asks for another name. An error of
// any method fails the chain it was called for.
type Store interface {
	// Principals lists who has a chain, ascending.
	Principals(ctx context.Context) ([]string, error)
	// Segments lists the names of a chain's segments, ascending; none is no error.
	Segments(ctx context.Context, principal string) ([]string, error)
	// Open opens a segment for reading, while others append to it.
	Open(ctx context.Context, principal, segment string) (Source, error)
	// Append opens a segment for appending and creates it if it does not exist. A created
	// segment's name is durable when Append returns.
	Append(ctx context.Context, principal, segment string) (Segment, error)
	// Lock keeps other processes from appending until release is called; ErrLocked if one does.
	Lock(ctx context.Context, principal string) (release func() error, err error)
	// Retire moves all segments aside, under a label that does not exist yet.
	Retire(ctx context.Context, principal, label string) error
}

// Source is an open segment.
type Source interface {
	io.ReaderAt
	io.Closer
	Size() int64 // when it was opened
}

// Segment is a segment open for appending.
type Segment interface {
	io.Writer // at its end
	Size() int64
	Truncate(size int64) error
	Sync() error
	Close() error
}

const segmentExt = ".jsonl"

// SegmentName is the name of the segment whose first entry has the given sequence
// number: twenty digits, so that names sort like the chain.
func SegmentName(first uint64) string { return fmt.Sprintf("%020d%s", first, segmentExt) }

// segmentFirst reads a name made by SegmentName.
func segmentFirst(name string) (uint64, bool) {
	digits, ok := strings.CutSuffix(name, segmentExt)
	if !ok || len(digits) != 20 {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	return n, err == nil && n > 0
}
