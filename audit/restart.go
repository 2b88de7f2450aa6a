package audit

import (
	"context"
	"encoding/json"
	"fmt"
)

// restartData is the data of a repair entry of type "restarted".
type restartData struct {
	Label    string `json:"label"`               // where the old segments are
	LastSeq  uint64 `json:"last_seq,omitempty"`  // of the old anchor, if it could be read
	LastHash string `json:"last_hash,omitempty"` // of the old anchor
}

// Restart gives a principal whose chain is broken a new one. The old segments are kept
// beside it, under a label; the first entry of the new chain says why, and what the old
// anchor was. Use it after [Log.Verify] has shown what is wrong, when a person has decided
// so: until then the chain takes no entries.
func (l *Log) Restart(ctx context.Context, principal, reason string) (Entry, error) {
	if !ValidPrincipal(principal) {
		return Entry{}, fmt.Errorf("audit: %w: principal %q", ErrInvalid, principal)
	}
	l.mu.Lock()
	c := l.chains[principal]
	delete(l.chains, principal)
	closed := l.closed
	l.mu.Unlock()
	if closed {
		return Entry{}, ErrClosed
	}
	if c != nil {
		_ = c.close() // a chain is restarted because it failed
	}
	d, err := l.retire(ctx, principal)
	if err != nil {
		return Entry{}, fmt.Errorf("audit: restart chain of %s: %w", principal, err)
	}
	data, err := json.Marshal(d)
	if err != nil {
		return Entry{}, fmt.Errorf("audit: restart chain of %s: %w", principal, err)
	}
	return l.Append(ctx, principal, Draft{Kind: KindRepair, Type: "restarted", Reason: reason, Data: data})
}

// retire moves the segments aside and anchors an empty chain.
func (l *Log) retire(ctx context.Context, principal string) (restartData, error) {
	now := l.opt.Now().UTC()
	d := restartData{Label: "retired-" + now.Format("20060102T150405.000000000Z")}
	release, err := l.opt.Store.Lock(ctx, principal)
	if err != nil {
		return d, err
	}
	defer release()
	if raw, err := l.opt.Anchor.Load(ctx, principal); err == nil {
		if h, err := DecodeHead(raw); err == nil {
			d.LastSeq, d.LastHash = h.Seq, h.Hash.String()
			if now.Before(h.Time) {
				now = h.Time.Add(1) // of two heads the later one counts
			}
		}
	}
	// Segments first: a crash in between leaves an anchor without its log, which is still
	// a broken chain, and restarting it again is right.
	if err := l.opt.Store.Retire(ctx, principal, d.Label); err != nil {
		return d, err
	}
	h := Head{Principal: principal, Time: now, Key: l.key}
	line, err := signHead(l.opt.Signer, &h)
	if err != nil {
		return d, err
	}
	return d, l.opt.Anchor.Save(ctx, principal, append(line, '\n'))
}
