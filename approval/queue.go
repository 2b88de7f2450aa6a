package approval

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// errQueueFull: a principal has too many queued requests.
var errQueueFull = errors.New("the approval queue is full; answer or deny some with `astrid approvals`")

// enqueue stores a request durably and returns its id. An agent that tries the same thing again gets the id of
// the request that waits already.
func (m *Manager) enqueue(ctx context.Context, e *pending) (id string, fresh bool, err error) {
	m.mu.Lock()
	m.expireLocked(m.o.Now())
	var waiting share
	for _, other := range m.queue {
		waiting.count(&e.Request, &other.Request)
		if other.same(e) {
			m.mu.Unlock()
			return other.Request.ID, false, nil
		}
	}
	if _, full := waiting.full(m.o.MaxQueued); full {
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
func (m *Manager) publish(e *pending) {
	m.mu.Lock()
	e.answering = false
	m.tellLocked(e.Request.Principal, Event{Queued, e.Request})
	m.mu.Unlock()
	m.flush(e.Request.Principal)
}

// takeSameLocked takes the request for the same action out of the queue, where an earlier try had left it: the answer
// to this try is the answer to both.
func (m *Manager) takeSameLocked(q *pending) (ids []string) {
	for id, e := range m.queue {
		if e.same(q) && !e.answering {
			delete(m.queue, id)
			ids = append(ids, id)
			m.tellLocked(e.Request.Principal, Event{Withdrawn, closed(e.Request, "answered")})
		}
	}
	return ids
}

// drop removes a queued request whose deferral could not be recorded.
func (m *Manager) drop(ctx context.Context, e *pending) error {
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

// decodeQueued reads one stored request.
func decodeQueued(val []byte) (*pending, error) {
	var e pending
	if err := json.Unmarshal(val, &e); err != nil {
		return nil, err
	}
	r := &e.Request
	if len(r.ID) != 32 || r.Principal == "" || r.Capsule == "" || e.Resource == "" {
		return nil, errors.New("incomplete")
	}
	return &e, e.Lasting.Check()
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
