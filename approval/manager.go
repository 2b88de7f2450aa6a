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
	MaxOpen   int           // waiting questions per principal; 0 = 50. One capsule gets at most half of them
	MaxQueued int           // queued requests per principal; 0 = 256. One capsule gets at most half of them
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
	queue    map[string]*pending
	attached map[string][]*attachment // by principal
}

// question is a request with a call waiting for it.
type question struct {
	*pending
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
	m := &Manager{o: o, store: o.Store, open: map[string]*question{}, queue: map[string]*pending{},
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
func (m *Manager) await(ctx context.Context, e *pending, change func() <-chan struct{}, recheck func() *cover) (result, error) {
	q := &question{e, make(chan Decision, 1)}
	r := &e.Request
	wait := m.o.Timeout
	if d, ok := ctx.Deadline(); ok {
		// Ends before the call does, so that the request can still be queued.
		wait = min(wait, max(time.Until(d)-time.Second, 0))
	}
	r.Deadline = m.o.Now().Add(wait)
	m.mu.Lock()
	if !m.heardLocked(r) && m.o.Fallback != FallbackBlock {
		m.mu.Unlock()
		return result{unheard: "nobody is attached"}, nil
	}
	var waiting share
	for _, other := range m.open {
		waiting.count(r, &other.Request)
	}
	if n, full := waiting.full(m.o.MaxOpen); full {
		m.mu.Unlock()
		return result{refused: fmt.Sprintf("%d questions are waiting already", n)}, nil
	}
	m.open[r.ID] = q
	m.tellLocked(r.Principal, Event{Asked, *r})
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

// share counts how much of a principal's room is taken, by all capsules and by one: no capsule may crowd out the
// questions of the others.
type share struct{ all, capsule int }

func (n *share) count(r, other *Request) {
	if r.Principal != other.Principal {
		return
	}
	n.all++
	if r.Capsule == other.Capsule {
		n.capsule++
	}
}

func (n *share) full(limit int) (taken int, full bool) {
	if n.all >= limit {
		return n.all, true
	}
	return n.capsule, n.capsule >= (limit+1)/2
}

// withdraw takes a question back. False: it was answered before.
func (m *Manager) withdraw(q *question, why string) bool {
	m.mu.Lock()
	r := &q.Request
	ours := m.open[r.ID] == q
	if ours {
		delete(m.open, r.ID)
		m.tellLocked(r.Principal, Event{Withdrawn, closed(*r, why)})
	}
	m.mu.Unlock()
	m.flush(r.Principal)
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
	if q, ok := m.open[id]; ok && q.Request.Principal == principal {
		if d.Choice == Defer && m.hearersLocked(&q.Request) > 1 {
			m.mu.Unlock()
			return nil // somebody else may decide
		}
		if err := q.accepts(d); d.Choice != Defer && err != nil {
			m.mu.Unlock()
			return err
		}
		delete(m.open, id)
		q.answer <- d
		m.tellLocked(principal, Event{Withdrawn, closed(q.Request, "answered")})
		same := m.takeSameLocked(q.pending)
		m.mu.Unlock()
		for _, id := range same {
			// On an error the record comes back at the next start, and can be answered then.
			_ = m.forget(context.WithoutCancel(ctx), id)
		}
		m.flush(principal)
		return nil
	}
	e, ok := m.queue[id]
	if !ok || e.Request.Principal != principal || e.answering || m.gate == nil {
		m.mu.Unlock()
		return fmt.Errorf("%w: %s", ErrUnknownRequest, Display(id))
	}
	if err := e.accepts(d); err != nil {
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

// Pending lists the open and queued requests of a principal, the riskiest first, then the oldest.
func (m *Manager) Pending(principal string) []Request {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expireLocked(m.o.Now())
	var out []Request
	for _, q := range m.open {
		if q.Request.Principal == principal {
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
		if q.Request.Principal == principal && q.Request.Session == session {
			delete(m.open, id)
			q.answer <- Decision{Choice: Deny, Feedback: "the session ended"}
			m.tellLocked(principal, Event{Withdrawn, closed(q.Request, "session ended")})
		}
	}
	m.mu.Unlock()
	m.flush(principal)
}
