package kernel

import (
	"context"
	"errors"
	"slices"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/ipc"
)

// gateHooks are what the kernel does around decisions.
type gateHooks struct {
	before   func(ctx context.Context, s *approval.Subject, class approval.Class) error
	deferred func(s approval.Subject, d *approval.Denial) // an action was queued
}

// Intercept decides like the interceptor it embeds.
func (g *gate) Intercept(ctx context.Context, s approval.Subject, a approval.Action) (approval.Grant, error) {
	if g.before != nil {
		if err := g.before(ctx, &s, a.Class); err != nil {
			return nil, err
		}
	}
	grant, err := g.Interceptor.Intercept(ctx, s, a)
	if err != nil && g.deferred != nil && errors.Is(err, approval.ErrDeferred) {
		if d := new(approval.Denial); errors.As(err, &d) && d.RequestID != "" {
			g.deferred(s, d)
		}
	}
	return grant, err
}

// interest is which sessions' messages on which topics a client wants to see.
type interest struct {
	topics   []string
	sessions map[string]bool
	approver bool
}

func (i *interest) queued(session string) bool {
	return !i.approver && (session == "" || i.sessions["*"] || i.sessions[session]) &&
		slices.ContainsFunc(i.topics, func(t string) bool { return ipc.Match(t, abi.TopicApproval) })
}

// tellQueued tells the clients of a session that one of its actions was put off because
// nobody was there to ask. Those who answer questions are told by the gate.
func (k *Kernel) tellQueued(s approval.Subject, d *approval.Denial) {
	r, err := k.gate.Approvals().Show(s.Principal, d.RequestID)
	if err != nil {
		return // answered meanwhile
	}
	k.server.mu.Lock()
	defer k.server.mu.Unlock()
	for c := range k.server.clients {
		c.mu.Lock()
		tell := c.principal == s.Principal && c.interest.queued(s.Session)
		c.mu.Unlock()
		if tell {
			c.ask(approval.Event{Type: approval.Queued, Request: r})
		}
	}
}
