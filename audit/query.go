package audit

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"slices"
	"time"
)

// Filter chooses entries. The zero value chooses all of all principals; each field that
// is set narrows the choice.
type Filter struct {
	Principal string
	Capsule   string
	Session   string
	Function  string
	Action    string
	Resource  string // exact
	Kinds     []Kind
	Verdict   Verdict
	Status    Status    // of the outcome
	Type      string    // of events and records
	Of        ID        // entries that refer to this one
	Since     time.Time // inclusive
	Until     time.Time // exclusive
	// Limit is how many entries to return, 0 for all: the newest ones that match, in
	// ascending order. With Oldest, the oldest ones.
	Limit  int
	Oldest bool
}

// Match reports whether an entry is chosen, Limit aside.
func (f *Filter) Match(e *Entry) bool {
	eq := func(want, got string) bool { return want == "" || want == got }
	return eq(f.Principal, e.Principal) && eq(f.Capsule, e.Capsule) && eq(f.Session, e.Session) &&
		eq(f.Function, e.Function) && eq(f.Action, e.Action) && eq(f.Resource, e.Resource) && eq(f.Type, e.Type) &&
		(len(f.Kinds) == 0 || slices.Contains(f.Kinds, e.Kind)) &&
		(f.Verdict == "" || f.Verdict == e.Verdict) &&
		(f.Status == "" || e.Outcome != nil && f.Status == e.Outcome.Status) &&
		(f.Of.IsZero() || f.Of == e.Of) &&
		(f.Since.IsZero() || !e.Time.Before(f.Since)) &&
		(f.Until.IsZero() || e.Time.Before(f.Until))
}

// Query yields the chosen entries, ascending by id and so by time, across principals. A
// line that is no entry is yielded as a [*LineError] and the query goes on; after any
// other error it ends.
func (r *Reader) Query(ctx context.Context, f Filter) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		r.flush(ctx)
		ps := []string{f.Principal}
		if f.Principal == "" {
			var err error
			if ps, err = r.Principals(ctx); err != nil {
				yield(Entry{}, err)
				return
			}
		} else if !ValidPrincipal(f.Principal) {
			yield(Entry{}, fmt.Errorf("audit: %w: principal %q", ErrInvalid, f.Principal))
			return
		}
		newest := f.Limit > 0 && !f.Oldest
		var chains []iter.Seq2[Entry, error]
		for _, p := range ps {
			if newest {
				chains = append(chains, r.chainTail(ctx, p, &f))
			} else {
				chains = append(chains, r.chainEntries(ctx, p, &f, nil))
			}
		}
		merged := merge(chains)
		if newest {
			last(merged, f.Limit, yield)
			return
		}
		n := 0
		for e, err := range merged {
			if !yield(e, err) {
				return
			}
			if err == nil {
				if n++; f.Limit > 0 && n == f.Limit {
					return
				}
			}
		}
	}
}

// last yields the last n of a sequence, kept in a ring.
func last(seq iter.Seq2[Entry, error], n int, yield func(Entry, error) bool) {
	var ring []Entry
	next := 0
	for e, err := range seq {
		if err != nil {
			if !yield(e, err) {
				return
			}
			continue
		}
		if len(ring) < n {
			ring = append(ring, e)
			continue
		}
		ring[next] = e
		next = (next + 1) % n
	}
	for i := range ring {
		if !yield(ring[(next+i)%len(ring)], nil) {
			return
		}
	}
}

// chainTail yields at least the newest f.Limit matching entries of one chain, ascending.
// It reads segments from the last one backwards and stops when it has enough.
func (r *Reader) chainTail(ctx context.Context, principal string, f *Filter) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		names, err := r.store.Segments(ctx, principal)
		if err != nil {
			yield(Entry{}, fmt.Errorf("audit: list segments of %s: %w", principal, err))
			return
		}
		var parts [][]Entry
		have := 0
		for i := len(names) - 1; i >= 0 && have < f.Limit; i-- {
			var part []Entry
			for e, err := range r.chainEntries(ctx, principal, f, names[i:i+1]) {
				if err != nil {
					if !yield(e, err) {
						return
					}
					continue
				}
				part = append(part, e)
			}
			parts, have = append(parts, part), have+len(part)
		}
		for _, part := range slices.Backward(parts) {
			for _, e := range part {
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}

// chainEntries yields the matching entries of one chain, of all its segments if names is nil.
func (r *Reader) chainEntries(ctx context.Context, principal string, f *Filter, names []string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		if names == nil {
			var err error
			if names, err = r.store.Segments(ctx, principal); err != nil {
				yield(Entry{}, fmt.Errorf("audit: list segments of %s: %w", principal, err))
				return
			}
			if names, err = r.within(ctx, principal, names, f); err != nil {
				yield(Entry{}, err)
				return
			}
		}
		for _, name := range names {
			for line, err := range r.lines(ctx, principal, name, 0) {
				if err != nil {
					yield(Entry{}, err)
					return
				}
				e, err := DecodeLine(line.data)
				if err != nil {
					if !yield(Entry{}, &LineError{Principal: principal, File: name, Line: line.no, Err: err}) {
						return
					}
					continue
				}
				if f.Match(&e) && !yield(e, nil) {
					return
				}
			}
		}
	}
}

// within drops the segments that lie before Since or after Until, by their first entry.
func (r *Reader) within(ctx context.Context, principal string, names []string, f *Filter) ([]string, error) {
	if f.Since.IsZero() && f.Until.IsZero() {
		return names, nil
	}
	from, to := 0, len(names)
	for i, name := range names {
		for line, err := range r.lines(ctx, principal, name, 0) {
			if err != nil {
				return nil, err
			}
			e, err := DecodeLine(line.data)
			if err != nil {
				break // damaged: read it, and report it there
			}
			if !f.Since.IsZero() && e.Time.Before(f.Since) {
				from = i
			}
			if !f.Until.IsZero() && !e.Time.Before(f.Until) && i < to {
				to = i
			}
			break
		}
	}
	return names[min(from, to):to], nil
}

// merge interleaves sequences that ascend by id.
func merge(seqs []iter.Seq2[Entry, error]) iter.Seq2[Entry, error] {
	if len(seqs) == 1 {
		return seqs[0]
	}
	type source struct {
		next func() (Entry, error, bool)
		e    Entry
		err  error
	}
	return func(yield func(Entry, error) bool) {
		var live []*source
		for _, s := range seqs {
			next, stop := iter.Pull2(s)
			defer stop()
			src := &source{next: next}
			var ok bool
			if src.e, src.err, ok = next(); ok {
				live = append(live, src)
			}
		}
		for len(live) > 0 {
			// An error has the zero id, so it comes out at once.
			at := 0
			for i, s := range live[1:] {
				if bytes.Compare(s.e.ID[:], live[at].e.ID[:]) < 0 {
					at = i + 1
				}
			}
			s := live[at]
			if !yield(s.e, s.err) {
				return
			}
			var ok bool
			if s.e, s.err, ok = s.next(); !ok {
				live = slices.Delete(live, at, at+1)
			}
		}
	}
}
