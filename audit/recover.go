package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// open locks the chain, brings log and anchor together after whatever ended the last
// process, and starts the committer.
func (c *chain) open(ctx context.Context) {
	if c.before != nil {
		_ = c.before.close() // its error is why it is opened anew
		c.before = nil
	}
	if err := c.recover(ctx); err != nil {
		if !errors.Is(err, ErrBroken) {
			err = fmt.Errorf("%w: %w", ErrFailed, err)
			c.mu.Lock()
			c.failedAt = c.log.opt.Now()
			c.mu.Unlock()
		}
		c.setErr(fmt.Errorf("audit: open chain of %s: %w", c.principal, errors.Join(err, c.giveBack())))
		close(c.stopped)
		return
	}
	go c.run()
}

func (c *chain) recover(ctx context.Context) error {
	store := c.log.opt.Store
	release, err := store.Lock(ctx, c.principal)
	if err != nil {
		return err
	}
	c.release = release
	names, err := store.Segments(ctx, c.principal)
	if err != nil {
		return fmt.Errorf("list segments: %w", err)
	}
	head, err := c.loadHead(ctx)
	if errors.Is(err, ErrNoAnchor) {
		if len(names) > 0 {
			return fmt.Errorf("%w: it has entries and no anchor: %w", ErrBroken, err)
		}
		// The first head is stored before the first segment exists, so a chain with
		// entries always has an anchor unless somebody took it away.
		return c.saveHead(ctx, Head{Principal: c.principal, Time: c.log.opt.Now(), Key: c.log.key})
	}
	if err != nil {
		return err
	}
	c.lastTime = head.Time
	if len(names) == 0 {
		if head.Seq > 0 {
			return fmt.Errorf("%w: anchor has %d entries, the log is gone", ErrBroken, head.Seq)
		}
		return nil
	}
	return c.catchUp(ctx, head, names)
}

// loadHead reads and checks the anchor.
func (c *chain) loadHead(ctx context.Context) (Head, error) {
	raw, err := c.log.opt.Anchor.Load(ctx, c.principal)
	if err != nil {
		return Head{}, fmt.Errorf("load anchor: %w", err)
	}
	h, err := DecodeHead(raw)
	if err != nil {
		return h, fmt.Errorf("%w: anchor: %w", ErrBroken, err)
	}
	return h, checkHead(&h, c.principal, c.log.trusted)
}

// catchUp finds the anchored entry and takes over what follows it.
func (c *chain) catchUp(ctx context.Context, head Head, names []string) error {
	at := 0 // the segment that holds the anchored entry
	for i, n := range names {
		first, ok := segmentFirst(n)
		if !ok {
			return fmt.Errorf("%w: stray file %s", ErrBroken, n)
		}
		if first <= max(head.Seq, 1) {
			at = i
		}
	}
	if first, _ := segmentFirst(names[at]); first > max(head.Seq, 1) {
		return fmt.Errorf("%w: anchor has entry %d, the log begins at %d", ErrBroken, head.Seq, first)
	}
	t := tail{chain: c, head: head}
	for i, n := range names[at:] {
		if t.dropped > 0 {
			// A segment is begun only after the one before it was anchored to its end.
			return fmt.Errorf("%w: %s line %d is no entry", ErrBroken, t.file, t.line)
		}
		if err := t.read(ctx, n, i == 0); err != nil {
			return err
		}
	}
	if t.seq < head.Seq {
		return fmt.Errorf("%w: truncated: anchor has %d entries, the log ends after %d (%s)", ErrBroken, head.Seq, t.seq, t.file)
	}
	return t.takeOver(ctx)
}

// tail is the end of a chain while it is opened.
type tail struct {
	chain *chain
	head  Head

	file    string
	line    int
	seq     uint64
	good    int64  // bytes of file that are entries
	settled int64  // bytes of file the anchor covers
	adopted []byte // entries of file beyond the anchor
	count   int    // entries adopted, over all files
	dropped int
	garbage []byte
}

// read goes through one segment from its start.
func (t *tail) read(ctx context.Context, name string, first bool) error {
	src, err := t.chain.log.opt.Store.Open(ctx, t.chain.principal, name)
	if err != nil {
		return fmt.Errorf("open segment %s: %w", name, err)
	}
	defer src.Close()
	data := make([]byte, src.Size())
	if _, err := io.ReadFull(io.NewSectionReader(src, 0, src.Size()), data); err != nil {
		return fmt.Errorf("read segment %s: %w", name, err)
	}
	start, _ := segmentFirst(name)
	if first {
		t.seq = start - 1
	} else if start != t.seq+1 {
		return fmt.Errorf("%w: segment %s follows entry %d", ErrBroken, name, t.seq)
	}
	t.file, t.line, t.good, t.settled, t.adopted = name, 0, 0, 0, nil
	for rest := data; len(rest) > 0; {
		line, next, whole := bytes.Cut(rest, []byte("\n"))
		t.line++
		if !whole || !t.accept(line, &err) {
			if err != nil || t.seq < t.head.Seq {
				return t.broken(err)
			}
			t.dropped, t.garbage = len(rest), rest
			return nil
		}
		if t.seq <= t.head.Seq {
			t.settled += int64(len(line)) + 1
		} else {
			t.adopted = append(append(t.adopted, line...), '\n')
			t.count++
		}
		t.good += int64(len(line)) + 1
		rest = next
	}
	return nil
}

func (t *tail) broken(err error) error {
	if err == nil {
		err = errors.New("not an entry")
	}
	return fmt.Errorf("%w: %s line %d: %w", ErrBroken, t.file, t.line, err)
}

// accept takes the next line. Entries before the anchored one are vouched for by its
// hash, which [Verify] follows; here they are only counted. False without error means
// that the line is no entry, which beyond the anchor is what a crash leaves.
func (t *tail) accept(line []byte, failure *error) bool {
	c := t.chain
	if t.seq+1 < t.head.Seq {
		t.seq++
		return true
	}
	e, err := DecodeLine(line)
	if err != nil {
		return false
	}
	switch {
	case e.Seq != t.seq+1 || e.Principal != c.principal:
		*failure = fmt.Errorf("entry %d of %s, want entry %d", e.Seq, e.Principal, t.seq+1)
	case !c.log.trusted[e.Key]:
		*failure = fmt.Errorf("entry %d signed by foreign key %s", e.Seq, e.Key.ID())
	case e.Seq > t.head.Seq && e.Seq > 1 && e.Prev != c.last || e.Seq == 1 && e.Prev != (Hash{}):
		*failure = fmt.Errorf("entry %d does not link to the one before it", e.Seq)
	}
	body := line[:len(line)-sigLen]
	hash := hashBody(body)
	switch {
	case *failure != nil:
	case e.Seq == t.head.Seq && hash != t.head.Hash:
		*failure = fmt.Errorf("entry %d is not the anchored one", e.Seq)
	case !verifySig(entryDomain, e.Key, body, e.Sig):
		*failure = fmt.Errorf("entry %d has a bad signature", e.Seq)
	}
	if *failure != nil {
		return false
	}
	t.seq = e.Seq
	c.seq, c.last, c.lastID = e.Seq, hash, e.ID
	if e.Time.After(c.lastTime) {
		c.lastTime = e.Time
	}
	return true
}

// takeOver makes the last segment end with the last good entry, anchors it, and records
// what it found.
func (t *tail) takeOver(ctx context.Context) error {
	c := t.chain
	s, err := c.log.opt.Store.Append(ctx, c.principal, t.file)
	if err != nil {
		return fmt.Errorf("open segment %s: %w", t.file, err)
	}
	c.segment = s
	if t.count == 0 && t.dropped == 0 {
		return nil
	}
	// Adopted lines are written again: after a failed fsync the system may hold pages it
	// believes are on disk and that are not. A crash in between loses only entries nobody
	// was answered for.
	if err := s.Truncate(t.settled); err != nil {
		return fmt.Errorf("truncate segment %s to %d: %w", t.file, t.settled, err)
	}
	if err := writeSync(s, t.adopted); err != nil {
		return err
	}
	if err := c.saveHead(ctx, Head{Principal: c.principal, Seq: c.seq, Hash: c.last, Time: c.lastTime, Key: c.log.key}); err != nil {
		return err
	}
	return c.recordRepair(ctx, t)
}

// repairData is the data of a repair entry of type "recovered".
type repairData struct {
	File    string `json:"file"`
	Adopted int    `json:"adopted"`                 // entries beyond the anchor taken over
	Offset  int64  `json:"offset,omitempty"`        // where the dropped bytes began
	Dropped int    `json:"dropped_bytes,omitempty"` // bytes that were no entries
	BLAKE3  string `json:"dropped_blake3,omitempty"`
}

func (c *chain) recordRepair(ctx context.Context, t *tail) error {
	r := repairData{File: t.file, Adopted: t.count}
	if t.dropped > 0 {
		r.Offset, r.Dropped, r.BLAKE3 = t.good, t.dropped, hashBody(t.garbage).String()
	}
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode repair: %w", err)
	}
	return c.appendNow(ctx, Draft{Kind: KindRepair, Type: "recovered", Data: data})
}

// appendNow appends an entry while the chain is being opened and no committer runs.
func (c *chain) appendNow(ctx context.Context, d Draft) error {
	e := c.link(d)
	msg := appendBody([]byte(entryDomain), &e)
	sig, err := c.log.opt.Signer.Sign(msg)
	if err != nil || len(sig) != len(e.Sig) {
		return fmt.Errorf("sign entry: %w", orBadSig(err))
	}
	body := msg[len(entryDomain):]
	c.seq, c.last, c.lastID, c.lastTime = e.Seq, hashBody(body), e.ID, e.Time
	b := batch{first: e.Seq, lines: []*pendingLine{{b: appendSig(body, sig)}},
		head: Head{Principal: c.principal, Seq: c.seq, Hash: c.last, Time: c.lastTime, Key: c.log.key}}
	return c.write(&b)
}
