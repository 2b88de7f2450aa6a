package audit

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// VerifyOptions of [Verify] and [VerifyExport]. Keys is required.
type VerifyOptions struct {
	// Keys are the runtime's public keys, present and past.
	Keys []ed25519.PublicKey
	// Anchor holds the heads; nil means that truncation cannot be told.
	Anchor Anchor
	// Principals to verify; nil means all.
	Principals []string
	// Workers is how many signatures are checked at a time; 0 means one per core.
	Workers int
	// MaxFindings bounds what is reported per chain; 0 means 100. The rest is counted.
	MaxFindings int
	// Partial is for exported files that were filtered: entries may be missing.
	Partial bool
}

func (o *VerifyOptions) trusted() (map[Key]bool, error) {
	m := make(map[Key]bool, len(o.Keys))
	for _, k := range o.Keys {
		if len(k) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("audit: key of %d bytes, want %d", len(k), ed25519.PublicKeySize)
		}
		m[Key(k)] = true
	}
	if len(m) == 0 {
		return nil, errors.New("audit: verify: no public key given")
	}
	return m, nil
}

// Verify checks chains from their first entry to their anchored head: form, signatures,
// links, places, times, ids. It reads only, and may run while the log is appended to. The
// error says that it could not be carried out; what it found is in the report.
func Verify(ctx context.Context, store Store, o VerifyOptions) (*Report, error) {
	trusted, err := o.trusted()
	if err != nil {
		return nil, err
	}
	ps := slices.Clone(o.Principals)
	if ps == nil {
		if ps, err = allPrincipals(ctx, store, o.Anchor); err != nil {
			return nil, fmt.Errorf("audit: list principals: %w", err)
		}
	}
	slices.Sort(ps)
	ps = slices.Compact(ps)
	v := newVerifier(ctx, o, trusted)
	defer v.stop()
	rep := &Report{Chains: make([]ChainReport, len(ps))}
	var wg sync.WaitGroup
	slots := make(chan struct{}, v.workers)
	for i, p := range ps {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			rep.Chains[i] = v.chain(store, p)
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("audit: verify: %w", err)
	}
	return rep, nil
}

// allPrincipals lists who has a chain, or an anchor for one.
func allPrincipals(ctx context.Context, store Store, a Anchor) ([]string, error) {
	ps, err := store.Principals(ctx)
	if err != nil {
		return nil, err
	}
	if l, ok := a.(AnchorLister); ok {
		more, err := l.Principals(ctx)
		if err != nil {
			return nil, err
		}
		ps = append(ps, more...)
	}
	return ps, nil
}

// Verify checks the chains of this log; o.Keys and o.Anchor are the log's own.
func (l *Log) Verify(ctx context.Context, o VerifyOptions) (*Report, error) {
	if err := l.Flush(ctx); err != nil && !errors.Is(err, ErrFailed) && !errors.Is(err, ErrBroken) {
		return nil, err
	}
	o.Anchor = l.opt.Anchor
	o.Keys = nil
	for k := range l.trusted {
		o.Keys = append(o.Keys, k[:])
	}
	return Verify(ctx, l.opt.Store, o)
}

// chain verifies one principal.
func (v *verifier) chain(store Store, principal string) ChainReport {
	rep := ChainReport{Principal: principal}
	s := &stitcher{rep: &rep, max: v.opt.MaxFindings, known: true}
	// The head before the entries: entries may come meanwhile, none may go.
	if !v.loadHead(s) {
		s.find(&rep.Doubts, nil, NoAnchor, "a cut tail would not show")
	}
	names, err := store.Segments(v.ctx, principal)
	if err != nil {
		s.find(&rep.Doubts, nil, Unreadable, err.Error())
		return rep
	}
	// Reading runs ahead of stitching by the length of this queue.
	queue := make(chan *chunk, 2*v.workers)
	var readErr error
	go func() {
		defer close(queue)
		for _, name := range names {
			if readErr = v.read(store, principal, name, queue); readErr != nil {
				return
			}
		}
	}()
	for c := range queue {
		<-c.done
		if c.file != s.file {
			s.begin(c.file)
		}
		for i := range c.out {
			s.add(&c.out[i])
		}
	}
	if readErr != nil {
		s.find(&rep.Doubts, nil, Unreadable, readErr.Error())
		return rep
	}
	s.end()
	return rep
}

// loadHead reads the anchor of a chain. It reports whether truncation can be told.
func (v *verifier) loadHead(s *stitcher) bool {
	if v.opt.Anchor == nil {
		return false
	}
	raw, err := v.opt.Anchor.Load(v.ctx, s.rep.Principal)
	if errors.Is(err, ErrNoAnchor) {
		return false
	}
	if err == nil {
		var h Head
		if h, err = DecodeHead(raw); err == nil {
			if err = checkHead(&h, s.rep.Principal, v.trusted); err == nil {
				s.head = &h
				return true
			}
		}
	}
	if errors.Is(err, ErrBroken) || errors.Is(err, ErrFormat) {
		s.problem(nil, BadAnchor, err.Error())
		return true
	}
	s.find(&s.rep.Doubts, nil, Unreadable, err.Error())
	return true
}
