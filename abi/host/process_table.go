package host

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
)

// processTable is the background programs of one loaded capsule. They belong to all of its instances, because the call that
// reads their output may run in another one, and they end with the last instance.
type processTable struct {
	mu        sync.Mutex
	instances int
	next      uint64
	entries   map[uint64]*processEntry
}

// processEntry is a program or, while p is nil, the place of one that is being started.
type processEntry struct {
	principal, session string // for whom it was started: other calls do not find it
	p                  Process
	settled            chan struct{} // closed when its end is recorded
}

// enter and leave count instances.
func (t *processTable) enter() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.instances++
}

func (t *processTable) leave() {
	t.mu.Lock()
	t.instances--
	var all map[uint64]*processEntry
	if t.instances == 0 {
		all, t.entries = t.entries, nil
	}
	t.mu.Unlock()
	for _, e := range all {
		if e.p != nil {
			e.p.Kill()
		}
	}
}

// reserve takes a place for a program of the call's session.
func (t *processTable) reserve(f *frame) (uint64, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for _, e := range t.entries {
		if e.principal == f.call.Principal && e.session == f.call.Session {
			n++
		}
	}
	if n >= abi.MaxProcesses {
		return 0, abi.Errorf(abi.CodeLimit, "background process limit reached (max %d): kill one, ended ones count until then", abi.MaxProcesses)
	}
	if t.entries == nil {
		t.entries = make(map[uint64]*processEntry)
	}
	t.next++
	t.entries[t.next] = &processEntry{principal: f.call.Principal, session: f.call.Session}
	return t.next, nil
}

// put fills a reserved place, or frees it when p is nil. It reports whether the place was still there.
func (t *processTable) put(id uint64, p Process, settled chan struct{}) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.entries[id]
	if e == nil {
		return false
	}
	if p == nil {
		delete(t.entries, id)
	} else {
		e.p, e.settled = p, settled
	}
	return true
}

// get finds a program of the call's session; with take, it is forgotten.
func (t *processTable) get(f *frame, id uint64, take bool) (*processEntry, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.entries[id]
	if e == nil || e.p == nil || e.principal != f.call.Principal || e.session != f.call.Session {
		return nil, abi.Errorf(abi.CodeHandle, "no background process with id %d", id)
	}
	if take {
		delete(t.entries, id)
	}
	return e, nil
}

// runningCalls are the programs in the foreground, to be found by the tool call that they run for.
type runningCalls struct {
	mu  sync.Mutex
	all map[*runningCall]struct{}
}

type runningCall struct {
	principal, session, call string
	cancel                   func()
}

// add registers a program. cancelled is closed when its call is cancelled.
func (r *runningCalls) add(f *frame) (cancelled <-chan struct{}, forget func()) {
	ch := make(chan struct{})
	c := &runningCall{principal: f.call.Principal, session: f.call.Session, call: toolCall(f.call), cancel: sync.OnceFunc(func() { close(ch) })}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil {
		r.all = make(map[*runningCall]struct{})
	}
	r.all[c] = struct{}{}
	return ch, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.all, c)
	}
}

// toolCall is the id of the tool call that a guest call serves; "" for other work.
func toolCall(c *Call) string {
	if c.Message == nil {
		return ""
	}
	var req struct {
		CallID string `json:"call_id"`
	}
	if json.Unmarshal(c.Message.Payload.Guest(), &req) != nil {
		return ""
	}
	return req.CallID
}

// CancelCalls ends the programs that run in the foreground for the given tool calls of a session.
func (h *Host) CancelCalls(principal, session string, ids []string) {
	want := make(map[string]bool, len(ids))
	for _, id := range ids {
		want[id] = id != ""
	}
	h.running.mu.Lock()
	defer h.running.mu.Unlock()
	for c := range h.running.all {
		if want[c.call] && c.principal == principal && c.session == session {
			c.cancel()
		}
	}
}

// settle ends a grant whose effect outlived its call. The effect has happened; that its outcome could not be recorded is the
// host's problem, not the guest's.
func settle(g approval.Grant, o approval.Outcome, fn abi.Function) {
	if err := g.Settle(context.Background(), o); err != nil {
		slog.Error("Outcome was not recorded", "function", fn.String(), "error", err)
	}
}
