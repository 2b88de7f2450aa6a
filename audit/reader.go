package audit

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
)

// Reader reads chains: those of a [Log] in the same process, or of a store another
// process appends to. It decodes strictly but verifies nothing; see [Verify].
type Reader struct {
	store Store
	// before makes what was appended visible; nil if others append.
	before func(context.Context) error

	mu   sync.Mutex
	news chan struct{} // closed when entries were committed; nil if nobody waits
}

// NewReader returns a reader of a store.
func NewReader(s Store) *Reader { return &Reader{store: s} }

// Principals lists who has a chain, ascending.
func (r *Reader) Principals(ctx context.Context) ([]string, error) {
	ps, err := r.store.Principals(ctx)
	if err != nil {
		return nil, fmt.Errorf("audit: list principals: %w", err)
	}
	return ps, nil
}

// Get finds an entry in any chain; ErrNotFound if there is none. Since it looks at all
// principals, who may see the entry is the caller's decision.
func (r *Reader) Get(ctx context.Context, id ID) (Entry, error) {
	r.flush(ctx)
	ps, err := r.Principals(ctx)
	if err != nil {
		return Entry{}, err
	}
	for _, p := range ps {
		if e, err := r.find(ctx, p, id); err == nil || !errors.Is(err, ErrNotFound) {
			return e, err
		}
	}
	return Entry{}, fmt.Errorf("audit: %w: %s", ErrNotFound, id)
}

// find looks for an id in one chain. Ids ascend along a chain, so the last segment that
// begins before the id is the only one that can hold it.
func (r *Reader) find(ctx context.Context, principal string, id ID) (Entry, error) {
	names, err := r.store.Segments(ctx, principal)
	if err != nil {
		return Entry{}, fmt.Errorf("audit: list segments of %s: %w", principal, err)
	}
	want := id.append([]byte(`,"id":"`))
	for _, name := range slices.Backward(names) {
		later := false // the segment begins after the id
		first := true
		for line, err := range r.lines(ctx, principal, name, 0) {
			if err != nil {
				return Entry{}, err
			}
			if first {
				if e, err := DecodeLine(line.data); err == nil {
					if bytes.Compare(e.ID[:], id[:]) > 0 {
						later = true
						break
					}
					first = false
				}
			}
			// The id comes right after the kind; looking further would match text a guest chose.
			if bytes.Contains(line.data[:min(len(line.data), 96)], want) {
				e, err := DecodeLine(line.data)
				if err != nil {
					return e, &LineError{Principal: principal, File: name, Line: line.no, Err: err}
				}
				return e, nil
			}
		}
		if !later && !first {
			break
		}
	}
	return Entry{}, ErrNotFound
}

// errShrunk says that a segment is shorter than what has been read of it: the chain was restarted.
var errShrunk = errors.New("audit: segment has shrunk")

// rawLine is a line of a segment, without newline; data is valid until the next one.
type rawLine struct {
	data []byte
	no   int   // from 1
	end  int64 // offset after its newline
}

// lines yields the complete lines of a segment from an offset on. A last line without
// newline is being written, or torn, and left out.
func (r *Reader) lines(ctx context.Context, principal, name string, from int64) func(func(rawLine, error) bool) {
	return func(yield func(rawLine, error) bool) {
		src, err := r.store.Open(ctx, principal, name)
		if err != nil {
			yield(rawLine{}, fmt.Errorf("audit: open segment %s/%s: %w", principal, name, err))
			return
		}
		defer src.Close()
		if src.Size() < from {
			yield(rawLine{}, errShrunk)
			return
		}
		br := bufio.NewReaderSize(io.NewSectionReader(src, from, src.Size()-from), 64<<10)
		l := rawLine{end: from}
		for {
			b, err := readLine(br)
			if errors.Is(err, io.EOF) {
				return
			}
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(l, fmt.Errorf("audit: read segment %s/%s: %w", principal, name, err))
				return
			}
			l.no++
			l.end += int64(len(b))
			l.data = b[:len(b)-1]
			if !yield(l, nil) {
				return
			}
		}
	}
}

// readLine returns the next line with its newline, and io.EOF with what is left if there
// is no complete one. A line far over MaxLine comes in pieces, none of which can decode.
func readLine(br *bufio.Reader) ([]byte, error) {
	b, err := br.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return b, err
	}
	long := bytes.Clone(b)
	for errors.Is(err, bufio.ErrBufferFull) {
		b, err = br.ReadSlice('\n')
		long = append(long, b...)
		if len(long) > 2*MaxLine {
			return long, nil
		}
	}
	return long, err
}

// flush shows what was appended in this process. A failure is the writer's to report:
// reading shows what is stored.
func (r *Reader) flush(ctx context.Context) {
	if r.before != nil {
		_ = r.before(ctx)
	}
}

// changed wakes those who follow.
func (r *Reader) changed() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.news != nil {
		close(r.news)
		r.news = nil
	}
}

// wait returns a channel that is closed at the next commit in this process.
func (r *Reader) wait() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.news == nil {
		r.news = make(chan struct{})
	}
	return r.news
}
