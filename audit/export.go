package audit

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Export writes entries as JSON lines, each as it is in its segment. Without filter, or
// with one that sets only Principal, it writes whole chains, each followed by its signed
// head, so that [VerifyExport] can tell if the file was cut. A filtered export holds
// single entries: they can be verified one by one, with VerifyOptions.Partial. a may be
// nil: then there are no heads.
func (r *Reader) Export(ctx context.Context, w io.Writer, a Anchor, f Filter) error {
	bw := bufio.NewWriter(w)
	write := func(line []byte) error {
		if _, err := bw.Write(line); err != nil {
			return err
		}
		return bw.WriteByte('\n')
	}
	var err error
	if f.whole() {
		err = r.exportChains(ctx, write, a, f.Principal)
	} else {
		for e, qerr := range r.Query(ctx, f) {
			if err = qerr; err == nil {
				err = write(e.Line())
			}
			if err != nil {
				break
			}
		}
	}
	if err == nil {
		err = bw.Flush()
	}
	if err != nil {
		return fmt.Errorf("audit: export: %w", err)
	}
	return nil
}

// whole reports whether the filter chooses whole chains.
func (f *Filter) whole() bool {
	return f.Capsule == "" && f.Session == "" && f.Function == "" && f.Action == "" && f.Resource == "" && len(f.Kinds) == 0 &&
		f.Verdict == "" && f.Status == "" && f.Type == "" && f.Of.IsZero() && f.Since.IsZero() && f.Until.IsZero() && f.Limit == 0
}

func (r *Reader) exportChains(ctx context.Context, write func([]byte) error, a Anchor, principal string) error {
	r.flush(ctx)
	ps := []string{principal}
	if principal == "" {
		var err error
		if ps, err = r.Principals(ctx); err != nil {
			return err
		}
	}
	for _, p := range ps {
		// The head first, so that what comes meanwhile is left out and not in doubt.
		var head *Head
		raw, err := loadAnchor(ctx, a, p)
		if err != nil {
			return err
		}
		if raw != nil {
			h, err := DecodeHead(raw)
			if err != nil {
				return fmt.Errorf("anchor of %s: %w", p, err)
			}
			head = &h
		}
		names, err := r.store.Segments(ctx, p)
		if err != nil {
			return err
		}
		if err := r.exportSegments(ctx, write, p, names, head); err != nil {
			return err
		}
		if head != nil {
			if err := write(head.line()); err != nil {
				return err
			}
		}
	}
	return nil
}

// loadAnchor returns nil if there is no anchor.
func loadAnchor(ctx context.Context, a Anchor, principal string) ([]byte, error) {
	if a == nil {
		return nil, nil
	}
	raw, err := a.Load(ctx, principal)
	if errors.Is(err, ErrNoAnchor) {
		return nil, nil
	}
	return raw, err
}

// exportSegments copies the lines of a chain, damaged ones too, up to its head if it has one.
func (r *Reader) exportSegments(ctx context.Context, write func([]byte) error, p string, names []string, head *Head) error {
	if head != nil && head.Seq == 0 {
		return nil
	}
	for _, name := range names {
		for line, err := range r.lines(ctx, p, name, 0) {
			if err != nil {
				return err
			}
			if err := write(line.data); err != nil {
				return err
			}
			if head == nil {
				continue
			}
			if e, err := DecodeLine(line.data); err == nil && e.Seq >= head.Seq {
				return nil
			}
		}
	}
	return nil
}

// line returns the line of a signed head.
func (h *Head) line() []byte { return appendSig(appendHeadBody(nil, h), h.Sig[:]) }

// VerifyExport checks a file made by [Reader.Export] with nothing but public keys. name
// stands for the file in findings. o.Anchor and o.Principals are not used.
func VerifyExport(ctx context.Context, r io.Reader, name string, o VerifyOptions) (*Report, error) {
	trusted, err := o.trusted()
	if err != nil {
		return nil, err
	}
	v := newVerifier(ctx, o, trusted)
	defer v.stop()
	queue := make(chan *chunk, 2*v.workers)
	var readErr error
	go func() {
		defer close(queue)
		readErr = v.cut(r, func(first int, data []byte) error {
			return v.submit(&chunk{file: name, first: first, data: data, done: make(chan struct{})}, queue)
		})
	}()
	x := exported{v: v, name: name, chains: map[string]*stitcher{}}
	for c := range queue {
		<-c.done
		for i := range c.out {
			x.add(&c.out[i])
		}
	}
	if err := errors.Join(readErr, ctx.Err()); err != nil {
		return nil, fmt.Errorf("audit: verify %s: %w", name, err)
	}
	return x.report(), nil
}

// exported sorts the lines of a file by chain.
type exported struct {
	v      *verifier
	name   string
	owner  string // of the last line that could be read
	chains map[string]*stitcher
}

func (x *exported) add(c *checked) {
	if c.owner != "" {
		x.owner = c.owner
	}
	s := x.chains[x.owner]
	if s == nil {
		s = &stitcher{rep: &ChainReport{Principal: x.owner}, max: x.v.opt.MaxFindings, known: true, file: x.name, partial: x.v.opt.Partial}
		x.chains[x.owner] = s
	}
	if c.head == nil {
		if s.head != nil && c.bad == "" && !s.partial {
			s.problem(c, OutOfOrder, "an entry after the head of its chain")
		}
		s.add(c)
		return
	}
	if c.bad != "" {
		s.problem(c, c.bad, c.detail)
	}
	s.head = c.head
	if c.bad == "" && s.known && s.seq == c.head.Seq && s.hash != c.head.Hash {
		s.problem(c, HeadDiffers, "the head names another entry in this place")
	}
}

func (x *exported) report() *Report {
	rep := new(Report)
	for _, s := range x.chains {
		switch {
		case s.partial:
			s.note(nil, Partial, "what is missing in between was not looked for")
		case s.head == nil:
			s.find(&s.rep.Doubts, nil, NoAnchor, "the file has no head for this chain: a cut tail would not show")
		default:
			s.end()
		}
		rep.Chains = append(rep.Chains, *s.rep)
	}
	slices.SortFunc(rep.Chains, func(a, b ChainReport) int {
		if a.Principal < b.Principal {
			return -1
		}
		return 1
	})
	return rep
}
