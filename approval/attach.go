package approval

import "slices"

// EventType says what happened to a request.
type EventType uint8

const (
	// Asked: a call waits for this answer. Also sent for each open request when a client attaches.
	Asked EventType = iota + 1
	// Queued: the request waits in the queue; no call is waiting. Also sent on attach.
	Queued
	// Withdrawn: no answer is needed any more. Request.Reason says why.
	Withdrawn
)

// Event tells an attached client about a request.
type Event struct {
	Type    EventType
	Request Request
}

// attachment is one attached client. Its events are delivered in order and by one caller at a time, outside of
// the manager's lock, so that deliver may call back into the manager.
type attachment struct {
	sessions []string // nil = all of the principal's
	deliver  func(Event)
	pending  []Event
	draining bool
	gone     bool
}

// Attach registers a client of principal, whom the caller has authenticated. deliver gets every open request at
// once, before Attach returns, and each event from then on, in order; it should hand them to the client's own queue
// and not block.
// The returned function detaches; it may be called more than once.
func (m *Manager) Attach(principal string, deliver func(Event)) (detach func()) {
	return m.attach(principal, &attachment{deliver: deliver})
}

// AttachSessions is Attach for a client that answers for some sessions only: it hears nothing of the others, and
// what they ask is queued at once if nobody else is there.
func (m *Manager) AttachSessions(principal string, sessions []string, deliver func(Event)) (detach func()) {
	return m.attach(principal, &attachment{sessions: append([]string{}, sessions...), deliver: deliver})
}

func (m *Manager) attach(principal string, at *attachment) (detach func()) {
	m.mu.Lock()
	m.attached[principal] = append(m.attached[principal], at)
	m.expireLocked(m.o.Now())
	for _, q := range m.open {
		if q.Request.Principal == principal && at.hears(&q.Request) {
			at.pending = append(at.pending, Event{Asked, q.Request})
		}
	}
	for _, e := range m.queue {
		if e.Request.Principal == principal && at.hears(&e.Request) {
			at.pending = append(at.pending, Event{Queued, e.Request})
		}
	}
	slices.SortStableFunc(at.pending, func(a, b Event) int { return a.Request.CreatedAt.Compare(b.Request.CreatedAt) })
	m.mu.Unlock()
	m.flush(principal)
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		at.gone = true
		m.attached[principal] = slices.DeleteFunc(m.attached[principal], func(x *attachment) bool { return x == at })
		if len(m.attached[principal]) == 0 {
			delete(m.attached, principal)
		}
	}
}

// hears tells whether a request is for this client.
func (at *attachment) hears(r *Request) bool {
	return at.sessions == nil || slices.Contains(at.sessions, r.Session)
}

// heardLocked tells whether somebody is there to answer a request.
func (m *Manager) heardLocked(r *Request) bool { return m.hearersLocked(r) > 0 }

// hearersLocked counts the clients that are asked a request.
func (m *Manager) hearersLocked(r *Request) (n int) {
	for _, at := range m.attached[r.Principal] {
		if at.hears(r) {
			n++
		}
	}
	return n
}

// Attached counts the attached clients of a principal.
func (m *Manager) Attached(principal string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.attached[principal])
}

// tellLocked queues an event for all clients of a principal; flush delivers it. What is queued is bounded by
// the number of open requests, because each has at most two events.
func (m *Manager) tellLocked(principal string, e Event) {
	for _, at := range m.attached[principal] {
		if at.hears(&e.Request) {
			at.pending = append(at.pending, e)
		}
	}
}

func (m *Manager) flush(principal string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, at := range slices.Clone(m.attached[principal]) {
		if at.draining {
			continue
		}
		at.draining = true
		for len(at.pending) > 0 && !at.gone {
			e := at.pending[0]
			at.pending = at.pending[1:]
			m.mu.Unlock()
			at.deliver(e)
			m.mu.Lock()
		}
		at.draining = false
	}
}
