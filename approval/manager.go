package approval

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Fallback is what happens when nobody answers.
type Fallback uint8

const (
	// FallbackQueue keeps the request for later: at once when nobody is attached, else after the deadline.
	FallbackQueue Fallback = iota
	// FallbackBlock waits until the deadline for somebody to attach, then keeps the request.
	FallbackBlock
	// FallbackSkip refuses: at once when nobody is attached, else after the deadline. Nothing is kept.
	FallbackSkip
)

// ManagerOptions configure a Manager.
type ManagerOptions struct {
	Timeout   time.Duration // of a question; 0 = 5 minutes
	Fallback  Fallback
	MaxOpen   int           // waiting questions per principal; 0 = 50
	MaxQueued int           // queued requests per principal; 0 = 256
	KeepFor   time.Duration // age at which queued requests are dropped; 0 = 7 days
	Store     Store         // queued requests; nil: memory only
	Now       func() time.Time
}

// Manager holds the open questions: those that a call is waiting for and those that wait in the queue.
type Manager struct {
	o     ManagerOptions
	store Store
	gate  *Interceptor // set once by bind, before any request

	mu       sync.Mutex
	open     map[string]*question
	queue    map[string]*queued
	attached map[string][]*attachment // by principal
}

// question is a request with a call waiting for it.
type question struct {
	Request
	answer chan Decision // of capacity 1; filled by whoever takes the question out of open
}

// NewManager loads the queue.
func NewManager(ctx context.Context, o ManagerOptions) (*Manager, error) {
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Minute
	}
	if o.MaxOpen <= 0 {
		o.MaxOpen = 50
	}
	if o.MaxQueued <= 0 {
		o.MaxQueued = 256
	}
	if o.KeepFor <= 0 {
		o.KeepFor = 7 * 24 * time.Hour
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Store == nil {
		o.Store = memory{}
	}
	m := &Manager{o: o, store: o.Store, open: map[string]*question{}, queue: map[string]*queued{},
		attached: map[string][]*attachment{}}
	if err := m.load(ctx); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *Manager) bind(i *Interceptor) { m.gate = i }

// result is how a question ended.
type result struct {
	decision *Decision
	cover    *cover // another answer covers this call too
	unheard  string // nobody answered: why
	refused  string // not even asked: why
}

// await asks and waits. recheck is called when a permission was granted elsewhere.
func (m *Manager) await(ctx context.Context, r Request, change func() <-chan struct{}, recheck func() *cover) (result, error) {
	q := &question{Request: r, answer: make(chan Decision, 1)}
	wait := m.o.Timeout
	if d, ok := ctx.Deadline(); ok {
		// Ends before the call does, so that the request can still be queued.
		wait = min(wait, max(time.Until(d)-time.Second, 0))
	}
	q.Deadline = m.o.Now().Add(wait)
	m.mu.Lock()
	if len(m.attached[r.Principal]) == 0 && m.o.Fallback != FallbackBlock {
		m.mu.Unlock()
		return result{unheard: "nobody is attached"}, nil
	}
	waiting := 0
	for _, other := range m.open {
		if other.Principal == r.Principal {
			waiting++
		}
	}
	if waiting >= m.o.MaxOpen {
		m.mu.Unlock()
		return result{refused: fmt.Sprintf("%d questions are waiting already", waiting)}, nil
	}
	m.open[q.ID] = q
	m.tellLocked(r.Principal, Event{Asked, q.Request})
	m.mu.Unlock()
	m.flush(r.Principal)

	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		changed := change()
		if c := recheck(); c != nil {
			if m.withdraw(q, "covered") {
				return result{cover: c}, nil
			}
			// A human was faster: that answer counts, and what recheck took goes back.
			if c.undo != nil {
				c.undo(context.WithoutCancel(ctx))
			}
			d := <-q.answer
			return result{decision: &d}, nil
		}
		select {
		case d := <-q.answer:
			return result{decision: &d}, nil
		case <-changed:
		case <-timer.C:
			if m.withdraw(q, "expired") {
				return result{unheard: "nobody answered in time"}, nil
			}
			d := <-q.answer
			return result{decision: &d}, nil
		case <-ctx.Done():
			m.withdraw(q, "cancelled")
			return result{}, context.Cause(ctx)
		}
	}
}

// withdraw takes a question back. False: it was answered before.
func (m *Manager) withdraw(q *question, why string) bool {
	m.mu.Lock()
	ours := m.open[q.ID] == q
	if ours {
		delete(m.open, q.ID)
		m.tellLocked(q.Principal, Event{Withdrawn, closed(q.Request, why)})
	}
	m.mu.Unlock()
	m.flush(q.Principal)
	return ours
}

// closed is what is told about a request that needs no answer any more.
func closed(r Request, why string) Request {
	r.Choices = nil
	r.Reason = why
	return r
}

// Resolve answers a request of principal, who was authenticated by the caller. A request is answered once:
// everybody else gets ErrUnknownRequest, as for ids that never existed or belong to someone else.
// Answering a queued request records the decision before it grants anything.
func (m *Manager) Resolve(ctx context.Context, principal, id string, d Decision) error {
	m.mu.Lock()
	if q, ok := m.open[id]; ok && q.Principal == principal {
		if err := q.accepts(d); err != nil {
			m.mu.Unlock()
			return err
		}
		delete(m.open, id)
		q.answer <- d
		m.tellLocked(principal, Event{Withdrawn, closed(q.Request, "answered")})
		m.mu.Unlock()
		m.flush(principal)
		return nil
	}
	e, ok := m.queue[id]
	if !ok || e.Request.Principal != principal || e.answering || m.gate == nil {
		m.mu.Unlock()
		return fmt.Errorf("%w: %s", ErrUnknownRequest, Display(id))
	}
	if err := e.Request.accepts(d); err != nil {
		m.mu.Unlock()
		return err
	}
	e.answering = true
	m.mu.Unlock()
	err := m.gate.answerQueued(ctx, e, d)
	m.mu.Lock()
	e.answering = false
	if err == nil {
		delete(m.queue, id)
		m.tellLocked(principal, Event{Withdrawn, closed(e.Request, "answered")})
	}
	m.mu.Unlock()
	m.flush(principal)
	return err
}

// accepts checks an answer against what was offered.
func (r *Request) accepts(d Decision) error {
	if d.Choice == ApprovePattern {
		return r.acceptsPattern(d)
	}
	for _, o := range r.Choices {
		if o.Choice == d.Choice {
			return nil
		}
	}
	return fmt.Errorf("%w: %s", ErrChoice, Display(string(d.Choice)))
}

func (r *Request) acceptsPattern(d Decision) error {
	switch {
	case d.Pattern == nil:
		return fmt.Errorf("%w: no pattern given", ErrChoice)
	case d.Scope != "" && d.Scope != ScopeSession && d.Scope != ScopeWorkspace:
		return fmt.Errorf("%w: scope %s", ErrChoice, Display(string(d.Scope)))
	case d.Scope == ScopeWorkspace && r.Workspace == "":
		return fmt.Errorf("%w: there is no workspace", ErrChoice)
	case d.MaxUses < 0 || d.For < 0:
		return fmt.Errorf("%w: negative limit", ErrChoice)
	}
	return d.Pattern.Check()
}

// Pending lists the open and queued requests of a principal, the riskiest first, then the oldest.
func (m *Manager) Pending(principal string) []Request {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expireLocked(m.o.Now())
	var out []Request
	for _, q := range m.open {
		if q.Principal == principal {
			out = append(out, q.Request)
		}
	}
	for _, e := range m.queue {
		if e.Request.Principal == principal {
			out = append(out, e.Request)
		}
	}
	slices.SortFunc(out, func(a, b Request) int {
		if d := riskRank(b.Risk) - riskRank(a.Risk); d != 0 {
			return d
		}
		return a.CreatedAt.Compare(b.CreatedAt)
	})
	return out
}

// Show returns one open or queued request of a principal.
func (m *Manager) Show(principal, id string) (Request, error) {
	for _, r := range m.Pending(principal) {
		if r.ID == id {
			return r, nil
		}
	}
	return Request{}, fmt.Errorf("%w: %s", ErrUnknownRequest, Display(id))
}

// endSession refuses the waiting questions of a session that is over.
func (m *Manager) endSession(principal, session string) {
	m.mu.Lock()
	for id, q := range m.open {
		if q.Principal == principal && q.Session == session {
			delete(m.open, id)
			q.answer <- Decision{Choice: Deny, Feedback: "the session ended"}
			m.tellLocked(principal, Event{Withdrawn, closed(q.Request, "session ended")})
		}
	}
	m.mu.Unlock()
	m.flush(principal)
}
