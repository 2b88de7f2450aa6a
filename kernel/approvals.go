package kernel

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/ipc"
)

// approvalPrompt is what a client is asked: the fields of the original record, and what a
// person needs to decide well.
type approvalPrompt struct {
	abi.ApprovalRequired
	Capsule  string           `json:"capsule"`
	Session  string           `json:"session,omitempty"`
	Kind     string           `json:"kind"`
	Detail   string           `json:"detail,omitempty"`
	Rule     string           `json:"rule,omitempty"`
	Source   string           `json:"source,omitempty"`
	Method   string           `json:"method,omitempty"`
	CostUSD  float64          `json:"cost_usd,omitempty"`
	Size     int64            `json:"size,omitempty"` // bytes
	Choices  []approval.Offer `json:"choices"`
	Deadline string           `json:"deadline,omitempty"` // RFC 3339; absent when it is queued
	Queued   bool             `json:"queued,omitempty"`
}

// attach makes the client one that is asked, or none any more: open questions come at once.
func (c *client) attach(req abi.ClientSubscribe) {
	all := req.Approver && (!req.OwnSessions || slices.Contains(req.Sessions, "*"))
	c.mu.Lock()
	defer c.mu.Unlock()
	if all && c.asked {
		return // it has heard them
	}
	detach := c.detach
	switch c.asked = all; {
	case all:
		c.detach = c.k.gate.Approvals().Attach(c.principal, c.ask)
	case req.Approver:
		c.detach = c.k.gate.Approvals().AttachSessions(c.principal, req.Sessions, c.ask)
	default:
		c.detach = nil
	}
	if detach != nil {
		detach() // only now, so that there is no moment at which nobody is there
	}
}

// ask sends a question of the gate to this client.
func (c *client) ask(e approval.Event) {
	r := e.Request
	if e.Type == approval.Withdrawn {
		c.reply(abi.TopicApprovalWithdrawn, map[string]string{"request_id": r.ID, "reason": r.Reason})
		return
	}
	p := approvalPrompt{
		ApprovalRequired: abi.ApprovalRequired{RequestID: r.ID, Action: r.Action, Resource: r.Resource, Reason: r.Reason, RiskLevel: r.Risk},
		Capsule:          r.Capsule, Session: r.Session, Kind: string(r.Kind), Detail: r.Detail, Rule: r.Rule, Source: r.Source,
		Method: r.Method, CostUSD: r.Cost.USD(), Size: r.Size, Choices: r.Choices, Queued: r.Queued,
	}
	if !r.Deadline.IsZero() {
		p.Deadline = r.Deadline.UTC().Format("2006-01-02T15:04:05Z")
	}
	payload, err := ipc.Tagged(p)
	if err != nil {
		payload, err = ipc.Custom(p)
	}
	if err != nil {
		return // cannot happen: the record always encodes
	}
	c.send(abi.Message{Topic: abi.TopicApproval, Payload: payload.Tagged(), SourceID: kernelSourceID, Timestamp: c.k.now(), Principal: c.principal, Session: r.Session})
}

// resolve answers a request. What it may allow for a session counts from now on.
func (k *Kernel) resolve(ctx context.Context, principal, id string, d approval.Decision) error {
	r, err := k.gate.Approvals().Show(principal, id)
	if err != nil {
		return err
	}
	if key := (sessionKey{principal, r.Session}); r.Session != "" && k.presence.touch(key) {
		k.dropGrants(ctx, key, k.presence.why())
	}
	return k.gate.Approvals().Resolve(ctx, principal, id, d)
}

// answerApproval takes a client's decision. Who it speaks for is known from the connection.
func (c *client) answerApproval(f *abi.ClientFrame) error {
	var in struct {
		abi.ApprovalResponse
		Pattern *approval.Pattern `json:"pattern"`
	}
	if err := json.Unmarshal(f.Payload, &in); err != nil {
		return fmt.Errorf("%s: %w", f.Topic, err)
	}
	id := strings.TrimPrefix(f.Topic, abi.TopicApprovalResponse)
	if in.RequestID != id {
		return fmt.Errorf("the answer is for request %q but was sent to %q", in.RequestID, id)
	}
	d := approval.Decision{Choice: approval.Choice(in.Decision), Pattern: in.Pattern}
	if in.Reason != nil {
		d.Feedback = *in.Reason
	}
	return c.k.resolve(c.ctx, c.principal, id, d)
}
