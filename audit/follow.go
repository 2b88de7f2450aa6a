package audit

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"slices"
	"time"
)

// pollInterval is how often a reader looks for entries another process appended.
const pollInterval = 250 * time.Millisecond

// Follow yields the newest f.Limit entries that match (none if it is 0) and then each
// matching entry as it is committed, until ctx ends or the caller stops. Entries of one
// principal come in order. Errors are as in [Reader.Query].
func (r *Reader) Follow(ctx context.Context, f Filter) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		fo := follower{r: r, f: f, at: map[string]place{}, last: map[string]uint64{}}
		f.Oldest = false
		// Positions first: what comes while the old entries are read is then seen twice and
		// left out once, and nothing is missed.
		if err := fo.seekEnd(ctx); err != nil {
			yield(Entry{}, err)
			return
		}
		if f.Limit > 0 {
			for e, err := range r.Query(ctx, f) {
				if err == nil {
					fo.last[e.Principal] = e.Seq
				}
				if !yield(e, err) {
					return
				}
			}
		}
		for {
			news := r.wait()
			if !fo.read(ctx, yield) || !r.sleep(ctx, news) {
				return
			}
		}
	}
}

// sleep waits for news; false when ctx ended.
func (r *Reader) sleep(ctx context.Context, news <-chan struct{}) bool {
	var poll <-chan time.Time
	if r.before == nil {
		t := time.NewTimer(pollInterval)
		defer t.Stop()
		poll = t.C
	}
	select {
	case <-news:
	case <-poll:
	case <-ctx.Done():
		return false
	}
	return true
}

// place is how far a chain has been read.
type place struct {
	segment string
	offset  int64
	line    int
}

type follower struct {
	r    *Reader
	f    Filter
	at   map[string]place
	last map[string]uint64 // sequence number of the last entry yielded
}

func (fo *follower) principals(ctx context.Context) ([]string, error) {
	if fo.f.Principal != "" {
		return []string{fo.f.Principal}, nil
	}
	return fo.r.Principals(ctx)
}

// seekEnd goes to the end of all chains there are.
func (fo *follower) seekEnd(ctx context.Context) error {
	ps, err := fo.principals(ctx)
	if err != nil {
		return err
	}
	for _, p := range ps {
		names, err := fo.r.store.Segments(ctx, p)
		if err != nil {
			return err
		}
		if len(names) == 0 {
			continue
		}
		pl := place{segment: names[len(names)-1]}
		for line, err := range fo.r.lines(ctx, p, pl.segment, 0) {
			if err != nil {
				return err
			}
			pl.offset, pl.line = line.end, line.no
		}
		fo.at[p] = pl
	}
	return nil
}

// read yields what is new in all chains; false when the caller or an error ends it.
func (fo *follower) read(ctx context.Context, yield func(Entry, error) bool) bool {
	ps, err := fo.principals(ctx)
	if err != nil {
		yield(Entry{}, err)
		return false
	}
	for _, p := range ps {
		if !fo.chain(ctx, p, yield) {
			return false
		}
	}
	return true
}

// chain yields what is new in the chain of p; false as with read.
func (fo *follower) chain(ctx context.Context, p string, yield func(Entry, error) bool) bool {
	names, err := fo.r.store.Segments(ctx, p)
	if err != nil {
		yield(Entry{}, err)
		return false
	}
	if at := fo.at[p].segment; at != "" && !slices.Contains(names, at) {
		fo.restart(p)
	}
	for _, name := range names {
		if name >= fo.at[p].segment && !fo.segment(ctx, p, name, yield) {
			return false
		}
	}
	return true
}

// retired reports whether [Log.Restart] moved the segment away after it was listed.
func (fo *follower) retired(ctx context.Context, p, name string) bool {
	names, err := fo.r.store.Segments(ctx, p)
	return err == nil && !slices.Contains(names, name)
}

// restart begins a chain anew that [Log.Restart] has replaced.
func (fo *follower) restart(p string) {
	delete(fo.at, p)
	delete(fo.last, p)
}

func (fo *follower) segment(ctx context.Context, p, name string, yield func(Entry, error) bool) bool {
	pl := fo.at[p]
	if pl.segment != name {
		pl = place{segment: name}
	}
	for line, err := range fo.r.lines(ctx, p, name, pl.offset) {
		if errors.Is(err, errShrunk) {
			fo.restart(p)
			return fo.segment(ctx, p, name, yield)
		}
		if errors.Is(err, fs.ErrNotExist) && fo.retired(ctx, p, name) {
			fo.restart(p)
			return fo.chain(ctx, p, yield)
		}
		if err != nil {
			yield(Entry{}, err)
			return false
		}
		pl.offset = line.end
		pl.line++
		fo.at[p] = pl
		e, err := DecodeLine(line.data)
		if err != nil {
			err = &LineError{Principal: p, File: name, Line: pl.line, Err: err}
		} else if e.Seq <= fo.last[p] || !fo.f.Match(&e) {
			continue
		} else {
			fo.last[p] = e.Seq
		}
		if !yield(e, err) {
			return false
		}
	}
	return true
}
