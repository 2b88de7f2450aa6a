package approval

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// queued is a request that nobody answered, as stored. It holds what is needed to grant exactly the action that
// was asked about, in a later life of the daemon.
type queued struct {
	Request  Request `json:"request"`
	Resource string  `json:"resource"` // as matched, not escaped
	Method   string  `json:"method,omitempty"`
	Lasting  Pattern `json:"lasting"` // what session and workspace would grant
	Token    string  `json:"token"`   // what always would grant
	Why      string  `json:"why"`

	answering bool // an answer is being recorded; guarded by Manager.mu
}

// once covers exactly the queued action.
func (e *queued) once() Pattern {
	return Pattern{Type: ExactResource, Resource: e.Resource, Method: e.Method}
}

func (e *queued) same(o *queued) bool {
	a, b := &e.Request, &o.Request
	return a.Principal == b.Principal && a.Capsule == b.Capsule && a.Session == b.Session &&
		a.Workspace == b.Workspace && e.Resource == o.Resource && e.Method == o.Method
}

// errQueueFull: a principal has too many queued requests.
var errQueueFull = errors.New("the approval queue is full; answer or deny some with `astrid approvals`")

// enqueue stores a request durably and returns its id. An agent that tries the same thing again gets the id of
// the request that waits already.
func (m *Manager) enqueue(ctx context.Context, e *queued) (id string, fresh bool, err error) {
	m.mu.Lock()
	m.expireLocked(m.o.Now())
	n := 0
	for _, other := range m.queue {
		if other.Request.Principal != e.Request.Principal {
			continue
		}
		if n++; other.same(e) {
			m.mu.Unlock()
			return other.Request.ID, false, nil
		}
	}
	if n >= m.o.MaxQueued {
		m.mu.Unlock()
		return "", false, errQueueFull
	}
	e.Request.Queued, e.Request.Deadline = true, time.Time{}
	// In memory first and marked as being answered: nobody can answer it before it is durable and recorded.
	e.answering = true
	m.queue[e.Request.ID] = e
	m.mu.Unlock()
	val, err := json.Marshal(e)
	if err == nil {
		err = m.store.Put(ctx, deferredPrefix+e.Request.ID, val)
	}
	if err != nil {
		m.mu.Lock()
		delete(m.queue, e.Request.ID)
		m.mu.Unlock()
		return "", false, fmt.Errorf("queue the request: %w", err)
	}
	return e.Request.ID, true, nil
}

// publish opens a queued request for answers, after its deferral was recorded.
func (m *Manager) publish(e *queued) {
	m.mu.Lock()
	e.answering = false
	m.tellLocked(e.Request.Principal, Event{Queued, e.Request})
	m.mu.Unlock()
	m.flush(e.Request.Principal)
}

// drop removes a queued request whose deferral could not be recorded.
func (m *Manager) drop(ctx context.Context, e *queued) error {
	m.mu.Lock()
	delete(m.queue, e.Request.ID)
	m.mu.Unlock()
	return m.forget(ctx, e.Request.ID)
}

func (m *Manager) forget(ctx context.Context, id string) error {
	return m.store.Delete(ctx, deferredPrefix+id)
}

// expireLocked drops requests that nobody answered for too long.
func (m *Manager) expireLocked(now time.Time) {
	for id, e := range m.queue {
		if now.Sub(e.Request.CreatedAt) < m.o.KeepFor || e.answering {
			continue
		}
		delete(m.queue, id)
		// On an error the record stays and is dropped again at the next load.
		_ = m.forget(context.Background(), id)
		m.tellLocked(e.Request.Principal, Event{Withdrawn, closed(e.Request, "too old")})
	}
}

// DecodeQueued checks one stored request; it is what the fuzz target and load share.
func decodeQueued(val []byte) (*queued, error) {
	var e queued
	if err := json.Unmarshal(val, &e); err != nil {
		return nil, err
	}
	r := &e.Request
	if len(r.ID) != 32 || r.Principal == "" || r.Capsule == "" || e.Resource == "" {
		return nil, errors.New("incomplete")
	}
	if err := e.Lasting.Check(); err != nil {
		return nil, err
	}
	return &e, nil
}

func (m *Manager) load(ctx context.Context) error {
	now := m.o.Now()
	var old []string
	err := m.store.Scan(ctx, deferredPrefix, func(key string, val []byte) error {
		e, err := decodeQueued(val)
		if err == nil && key != deferredPrefix+e.Request.ID {
			err = errors.New("its id differs from its key")
		}
		if err != nil {
			return fmt.Errorf("approval request record %q: %w", key, err)
		}
		if now.Sub(e.Request.CreatedAt) >= m.o.KeepFor {
			old = append(old, e.Request.ID)
			return nil
		}
		m.queue[e.Request.ID] = e
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range old {
		if err := m.forget(ctx, id); err != nil {
			return err
		}
	}
	return nil
}
