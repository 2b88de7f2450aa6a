package audit

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync"
	"time"
)

// DefaultMaxLag is how long a [Draft.MayLag] entry may wait for its fsync.
const DefaultMaxLag = 50 * time.Millisecond

// DefaultSegmentSize is the size from which a segment is followed by a new one, in bytes.
const DefaultSegmentSize = 8 << 20

// DefaultRetryAfter is how long a chain that failed is left alone.
const DefaultRetryAfter = time.Second

// Options of a [Log]. Store, Anchor and Signer are required.
type Options struct {
	Store  Store
	Anchor Anchor
	Signer Signer
	// Trusted are public keys of earlier runtime keys; Signer's own is always trusted.
	Trusted []ed25519.PublicKey
	// Now is the clock entries are stamped with; nil means time.Now.
	Now func() time.Time
	// SegmentSize in bytes; 0 means DefaultSegmentSize.
	SegmentSize int64
	// MaxLag bounds how long a MayLag entry is not durable; 0 means DefaultMaxLag.
	MaxLag time.Duration
	// RetryAfter is how long after a failure an append opens the chain again; 0 means DefaultRetryAfter.
	RetryAfter time.Duration
	// SyncAlways answers each Append after its fsync, whatever Draft.MayLag says.
	SyncAlways bool
}

// Log appends to the chains of all principals. It is safe for concurrent use.
type Log struct {
	*Reader
	opt     Options
	key     Key
	trusted map[Key]bool

	mu     sync.Mutex
	chains map[string]*chain
	closed bool
}

// Open returns a log. Chains are opened, checked against their anchor and repaired when
// the first entry is appended, or by [Log.OpenChain].
func Open(o Options) (*Log, error) {
	if o.Store == nil || o.Anchor == nil || o.Signer == nil {
		return nil, errors.New("audit: Options need Store, Anchor and Signer")
	}
	key, err := signerKey(o.Signer)
	if err != nil {
		return nil, err
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.SegmentSize <= 0 {
		o.SegmentSize = DefaultSegmentSize
	}
	if o.MaxLag <= 0 {
		o.MaxLag = DefaultMaxLag
	}
	if o.RetryAfter <= 0 {
		o.RetryAfter = DefaultRetryAfter
	}
	l := &Log{opt: o, key: key, trusted: map[Key]bool{key: true}, chains: map[string]*chain{}}
	for _, p := range o.Trusted {
		if len(p) != len(key) {
			return nil, fmt.Errorf("audit: trusted key of %d bytes, want %d", len(p), len(key))
		}
		l.trusted[Key(p)] = true
	}
	l.Reader = NewReader(o.Store)
	l.Reader.before = l.Flush
	return l, nil
}

// Append adds an entry to the chain of a principal and returns it, signed, once it and
// the head that covers it are stored ([Draft.MayLag] aside). Callers that append at the
// same time share one fsync.
//
// An error means: do not act. The entry may still be found in the log later (the fsync or
// the anchor failed, or ctx ended while waiting). After a failure of store, anchor or
// signer all appends to that chain return [ErrFailed] for [Options.RetryAfter]; the next one opens it
// again. After a failed fsync only [Log.Reopen] does.
func (l *Log) Append(ctx context.Context, principal string, d Draft) (Entry, error) {
	d, err := d.normalize()
	if err != nil {
		return Entry{}, fmt.Errorf("audit: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return Entry{}, fmt.Errorf("audit: append: %w", err)
	}
	c, err := l.chain(ctx, principal)
	if err != nil {
		return Entry{}, err
	}
	return c.append(ctx, d)
}

// OpenChain opens the chain of a principal now: it checks the tail against the anchor,
// adopts complete entries a crash left beyond it, and cuts off a torn last line.
func (l *Log) OpenChain(ctx context.Context, principal string) error {
	_, err := l.chain(ctx, principal)
	return err
}

// chain returns the opened chain of a principal.
func (l *Log) chain(ctx context.Context, principal string) (*chain, error) {
	if !ValidPrincipal(principal) {
		return nil, fmt.Errorf("audit: %w: principal %q", ErrInvalid, principal)
	}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil, ErrClosed
	}
	c := l.chains[principal]
	if c == nil || c.bad.Load() && c.mayRetry() {
		c = l.renewLocked(principal)
	}
	l.mu.Unlock()
	// Opening must not depend on the patience of the caller who happens to come first.
	c.opened.Do(func() { c.open(context.WithoutCancel(ctx)) })
	if !c.bad.Load() {
		return c, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c, c.err
}

// renewLocked puts a chain that is not open yet in the place of what was there, which it closes when it is opened.
func (l *Log) renewLocked(principal string) *chain {
	c := newChain(l, principal)
	c.before = l.chains[principal]
	l.chains[principal] = c
	return c
}

// Flush makes all entries appended so far durable, those with MayLag too.
func (l *Log) Flush(ctx context.Context) error {
	l.mu.Lock()
	var all []*chain
	for _, c := range l.chains {
		all = append(all, c)
	}
	l.mu.Unlock()
	var errs []error
	for _, c := range all {
		errs = append(errs, c.flush(ctx))
	}
	return errors.Join(errs...)
}

// Reopen closes a chain, failed or not, and opens it again from what is stored.
func (l *Log) Reopen(ctx context.Context, principal string) error {
	l.mu.Lock()
	if l.chains[principal] != nil {
		l.renewLocked(principal)
	}
	l.mu.Unlock()
	return l.OpenChain(ctx, principal)
}

// Close makes everything durable and closes all chains. Appends that wait are answered.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	chains := l.chains
	l.chains = nil
	l.mu.Unlock()
	var errs []error
	for _, c := range chains {
		errs = append(errs, c.close())
	}
	if s, ok := l.opt.Anchor.(interface{ Sync() error }); ok {
		errs = append(errs, s.Sync())
	}
	return errors.Join(errs...)
}

// PublicKey returns the key entries are signed with.
func (l *Log) PublicKey() ed25519.PublicKey { return append(ed25519.PublicKey(nil), l.key[:]...) }
