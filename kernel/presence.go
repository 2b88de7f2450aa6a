package kernel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/audit"
)

// presence knows which sessions somebody is in. What was allowed "for this session" ends
// with the session, and a session that nobody has been in for a while is over: a client is
// in the sessions that it named when it subscribed and in those that it wrote to.
//
// Nothing watches a clock. Whoever is about to decide, to list or to enter asks first.
type presence struct {
	now    func() time.Time
	linger time.Duration // how long a session outlives its last client

	mu sync.Mutex
	in map[sessionKey]*attendance
}

type attendance struct {
	clients int
	since   time.Time // when the last client left; when nobody came, when something was allowed
}

// enter notes a client of a session. True: the session had ended before it came.
func (p *presence) enter(key sessionKey) (over bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	over = p.overLocked(key)
	a := p.in[key]
	if a == nil {
		a = &attendance{}
		p.in[key] = a
	}
	a.clients++
	return over
}

// leave takes it back.
func (p *presence) leave(key sessionKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a := p.in[key]; a != nil && a.clients > 0 {
		a.clients--
		a.since = p.now()
	}
}

// touch lets the time of a session begin that nobody is in: something is about to be allowed
// for it. True: the session had ended before.
func (p *presence) touch(key sessionKey) (over bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	over = p.overLocked(key)
	switch a := p.in[key]; {
	case a == nil:
		p.in[key] = &attendance{since: p.now()}
	case a.clients == 0:
		a.since = p.now()
	}
	return over
}

// over reports once that a session has ended.
func (p *presence) over(key sessionKey) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.overLocked(key)
}

func (p *presence) overLocked(key sessionKey) bool {
	a := p.in[key]
	if a == nil || a.clients > 0 {
		return false
	}
	// By the calendar and not by the time the machine was awake; a clock that was put back
	// must not give a session more time.
	if gone := p.now().Round(0).Sub(a.since.Round(0)); gone >= 0 && gone < p.linger {
		return false
	}
	delete(p.in, key)
	return true
}

// ended lists the sessions of a principal that have ended, each once.
func (p *presence) ended(principal string) (keys []sessionKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key := range p.in {
		if key.principal == principal && p.overLocked(key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// enter notes that a client is in a session. Only its reader calls this.
func (c *client) enter(session string) {
	key := sessionKey{c.principal, session}
	if session == "" || session == "*" || c.attends[session] {
		return // who watches everything is in no session
	}
	c.attends[session] = true
	if c.k.presence.enter(key) {
		c.k.dropGrants(c.ctx, key, c.k.presence.why())
	}
}

// enterOnly leaves all sessions but those named.
func (c *client) enterOnly(sessions ...string) {
	for s := range c.attends {
		if !slices.Contains(sessions, s) {
			delete(c.attends, s)
			c.k.presence.leave(sessionKey{c.principal, s})
			c.k.endDeserted(sessionKey{c.principal, s})
		}
	}
	for _, s := range sessions {
		c.enter(s)
	}
}

func (p *presence) why() string { return fmt.Sprintf("nobody was in it for %s", p.linger) }

// beforeGuarded runs before each guarded decision.
func (k *Kernel) beforeGuarded(ctx context.Context, s *approval.Subject, class approval.Class) error {
	if class == approval.Plain || class == approval.Message {
		return nil
	}
	if key := (sessionKey{s.Principal, s.Session}); k.presence.over(key) {
		k.dropGrants(ctx, key, k.presence.why())
	}
	return k.ensurePolicy(ctx, s)
}

// dropGrants takes back what was allowed for a session. Taking back does not wait for the
// record of it.
func (k *Kernel) dropGrants(ctx context.Context, key sessionKey, why string) {
	n := k.gate.Allowances().EndSession(key.principal, key.session)
	if n == 0 {
		return
	}
	if err := k.noteSessionEnd(ctx, key, why, n); err != nil {
		slog.Error("The end of a session could not be recorded", "principal", key.principal, "session", key.session, "error", err)
	}
}

func (k *Kernel) noteSessionEnd(ctx context.Context, key sessionKey, why string, allowances int) error {
	data, err := json.Marshal(map[string]int{"allowances": allowances})
	if err != nil {
		return err
	}
	_, err = k.gate.log.Append(context.WithoutCancel(ctx), key.principal,
		audit.Draft{Kind: audit.KindEvent, Type: "session.ended", Session: key.session, Reason: why, Data: data})
	return err
}

// endSession drops the questions, allowances and budget total of a session that is over.
func (k *Kernel) endSession(ctx context.Context, principal string, raw json.RawMessage) (any, error) {
	var p abi.SessionEnd
	if err := params(abi.MethodEndSession, raw, &p); err != nil {
		return nil, err
	}
	if p.Session == "" {
		return nil, errors.New("EndSession: no session is named")
	}
	key := sessionKey{principal, p.Session}
	n := k.gate.Allowances().EndSession(principal, p.Session)
	err := k.gate.EndSession(ctx, principal, p.Session)
	return p, errors.Join(err, k.noteSessionEnd(ctx, key, "the user ended it", n))
}
