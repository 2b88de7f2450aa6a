package approval

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// ErrBraked: the capsule has filled the audit log as far as it may. Its calls that would be recorded are refused for a
// while; they may succeed later.
var ErrBraked = errors.New("too many recorded calls")

// Brake bounds what one capsule adds to the audit log for one principal, so that a capsule that calls without end does not
// fill the disk. What is allowed is recorded, always: so the brake refuses calls. The zero value is none.
type Brake struct {
	BytesPerDay int64  // about that; as much may be used at once
	Source      string // file and line of the setting

	closedFor time.Duration // for tests: instead of brakeClosedFor
}

// brakeClosedFor is how long a brake stays closed. Each time costs two entries.
const brakeClosedFor = 10 * time.Minute

// brakes are the brakes of all capsules.
type brakes struct {
	Brake
	now    func() time.Time
	opened func(brakeState) // a brake that was closed is open again

	mu    sync.Mutex
	of    map[brakeKey]*brakeState
	ended bool
}

type brakeKey struct{ principal, capsule string }

// brakeState is a bucket of bytes that fills over a day.
type brakeState struct {
	left    float64 // below zero: the next call closes the brake
	at      time.Time
	closed  bool
	subject Subject     // of the call that closed it
	entry   string      // which recorded that
	timer   *time.Timer // which opens it; nil until entry is known
	refused uint64      // calls since then
}

// position says what the brake does to a call.
type position uint8

const (
	brakeOpen    position = iota
	brakeCloses           // it is refused, and recorded as the reason why others will be
	brakeRefuses          // it is refused, and counted
)

// state is the one of a subject, as it is now. The lock is held.
func (b *brakes) state(s *Subject) *brakeState {
	key := brakeKey{s.Principal, s.Capsule}
	st, now := b.of[key], b.now()
	if st == nil {
		st = &brakeState{left: float64(b.BytesPerDay), at: now}
		b.of[key] = st
	}
	if since := now.Sub(st.at); since > 0 {
		st.left = min(float64(b.BytesPerDay), st.left+float64(b.BytesPerDay)*since.Hours()/24)
		st.at = now
	}
	return st
}

// position tells what happens to a call that would be recorded. A caller that is told brakeCloses records its refusal, and
// then calls close.
func (b *brakes) position(s *Subject) position {
	if b.BytesPerDay <= 0 {
		return brakeOpen
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	st := b.state(s)
	switch {
	case b.ended:
	case st.closed:
		st.refused++
		return brakeRefuses
	case st.left < 0:
		st.closed, st.refused = true, 0
		return brakeCloses
	}
	return brakeOpen
}

// charge takes the bytes of an entry that was written.
func (b *brakes) charge(s *Subject, bytes int) {
	if b.BytesPerDay <= 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.state(s).left -= float64(bytes)
}

// close keeps a brake closed for a while. entry recorded that; without one the brake is opened at once, so that the
// next call tries to record it again.
func (b *brakes) close(s *Subject, entry string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	st := b.state(s)
	if entry == "" || b.ended {
		st.closed = false
		return
	}
	st.subject, st.entry = *s, entry
	st.timer = time.AfterFunc(b.closedFor, func() { b.open(st) })
}

// open opens a brake, unless that was done already.
func (b *brakes) open(st *brakeState) {
	b.mu.Lock()
	was := *st
	if was.timer != nil {
		was.timer.Stop()
		st.closed, st.timer = false, nil
	}
	b.mu.Unlock()
	if was.timer != nil {
		b.opened(was)
	}
}

// end opens all brakes, for good.
func (b *brakes) end() {
	b.mu.Lock()
	b.ended = true
	all := slices.Collect(maps.Values(b.of))
	b.mu.Unlock()
	for _, st := range all {
		b.open(st)
	}
}

// refusal is the answer to a call that the brake stops.
func (b *brakes) refusal() refusal {
	return refusal{is: ErrBraked, layer: LayerAudit, rule: "audit.capsule_mb_per_day", source: b.Source, reason: fmt.Sprintf(
		"the capsule's calls have filled the audit log with %d MiB within a day: those that would be recorded are refused for %s",
		b.BytesPerDay>>20, b.closedFor)}
}

// size is about what the record takes in the log, in bytes.
func (r *Record) size() int {
	const rest = 600 // names, id, hash, key, signature
	n := rest + len(r.Session) + len(r.Method) + len(r.Resource) + len(r.Rule) + len(r.Source) + len(r.Reason) + len(r.Granted)
	for _, v := range r.Via {
		n += len(v) + 3
	}
	return n
}

// size is the same for the record of how an action ended.
func (s *Settlement) size() int { return 500 + len(s.Session) + len(s.Err) + len(s.Detail) }

// braked refuses a call that would be recorded, if the capsule's brake is closed or closes with it.
func (i *Interceptor) braked(ctx context.Context, s Subject, a Action) error {
	switch i.brakes.position(&s) {
	case brakeCloses:
		d := i.recordRefusal(ctx, s, a, i.brakes.refusal())
		i.brakes.close(&s, d.AuditID)
		i.log.Warn("A capsule's recorded calls are refused for a while", "capsule", s.Capsule, "principal", s.Principal, "reason", d.Reason, "entry", d.AuditID)
		return d
	case brakeRefuses:
		i.counters.braked.Add(1)
		r := i.brakes.refusal()
		return &Denial{Layer: r.layer, Rule: r.rule, Source: r.source, Reason: r.reason, is: r.is}
	}
	return nil
}

// noteOpened records how many calls a brake has refused.
func (i *Interceptor) noteOpened(st brakeState) {
	s := &st.subject
	rec := Settlement{Principal: s.Principal, Capsule: s.Capsule, Session: s.Session, AuditID: st.entry,
		Detail: fmt.Sprintf("%d more calls were refused, and not recorded each", st.refused)}
	if err := i.auditor.Settle(context.Background(), rec); err != nil {
		i.log.Error("It could not be recorded how many calls were refused", "capsule", s.Capsule, "principal", s.Principal, "refused", st.refused, "err", err)
	}
}

// Close records what is left to record. Nothing is braked after it.
func (i *Interceptor) Close() { i.brakes.end() }
