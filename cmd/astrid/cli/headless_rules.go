package cli

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/capability"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/client"
)

// approvalRules answer what the gate asks in place of a person: a pattern that denies wins,
// then one that allows, then yes, then how much risk may be taken. What no rule is about is put off.
type approvalRules struct {
	yes         bool
	risk        int // index in risks up to which all is approved; -1: nothing is
	allow, deny []capability.Pattern
	ask         bool // the other side of standard input answers
}

// risks are the levels that the gate gives, ascending.
var risks = []string{"low", "medium", "high", "critical"}

// parseRules compiles --max-risk, --allow and --deny. Without a risk none is taken.
func parseRules(yes bool, risk string, allow, deny []string) (approvalRules, error) {
	r := approvalRules{yes: yes, risk: slices.Index(risks, risk)}
	if risk != "" && r.risk < 0 {
		return r, fail(ExitUsage, "--max-risk: %q is none of %s", risk, strings.Join(risks, ", "))
	}
	for _, l := range []struct {
		flag string
		text []string
		into *[]capability.Pattern
	}{{"--allow", allow, &r.allow}, {"--deny", deny, &r.deny}} {
		for _, s := range l.text {
			p, err := capability.ParsePattern(s)
			if err != nil {
				return r, fail(ExitUsage, "%s: %w; write a resource as astrid approvals shows it, for example 'net:https://api.example.com:443/**'", l.flag, err)
			}
			*l.into = append(*l.into, p)
		}
	}
	return r, nil
}

// answers tells whether anything is decided here at all.
func (r approvalRules) answers() bool {
	return r.yes || r.risk >= 0 || r.ask || len(r.allow)+len(r.deny) > 0
}

// decide returns the answer to a request, and which flag gave it.
func (r approvalRules) decide(a abi.ApprovalRequired) (decision, flag string) {
	resource, err := capability.ParseResource(a.Resource)
	matches := func(p capability.Pattern) bool { return err == nil && p.Matches(resource) }
	switch {
	case len(r.deny) > 0 && err != nil: // too long for a pattern, say: nobody knows whether one is about it
		return abi.DecisionDeny, "--deny"
	case slices.ContainsFunc(r.deny, matches):
		return abi.DecisionDeny, "--deny"
	case slices.ContainsFunc(r.allow, matches):
		return abi.DecisionApprove, "--allow"
	case r.yes:
		return abi.DecisionApprove, "--yes"
	case slices.Contains(risks[:r.risk+1], a.RiskLevel): // a level that is not among them is above all
		return abi.DecisionApprove, "--max-risk"
	}
	return abi.DecisionDefer, ""
}

// approvalNotice is a question of the gate, open or queued.
type approvalNotice struct {
	abi.ApprovalRequired
	Session string `json:"session"`
	Queued  bool   `json:"queued"`
}

// approve answers a question of the gate about this session. A queued one, for which nobody
// was there, stays for whoever answers it with astrid approvals.
func (t *turn) approve(ctx context.Context, conn *client.Conn, a approvalNotice, out output) error {
	if a.Session != t.session {
		return nil // the flags are about this prompt, not about whatever else waits
	}
	if a.Queued {
		if slices.ContainsFunc(t.waiting, func(w approvalNotice) bool { return w.RequestID == a.RequestID }) {
			return nil
		}
		t.waiting = append(t.waiting, a)
		t.sys.notef("waits for approval: %s, %s (%s)\n  astrid approvals approve %s", printable(a.Action), printable(a.Resource), printable(a.Reason), printable(a.RequestID))
		return nil
	}
	decision, flag := t.rules.decide(a.ApprovalRequired)
	switch {
	case decision == abi.DecisionDefer && t.rules.ask:
		return out.approval(a.ApprovalRequired)
	case decision == abi.DecisionApprove:
		t.sys.notef("approved by %s: %s %s", flag, printable(a.Action), printable(a.Resource))
	case decision == abi.DecisionDeny:
		t.sys.notef("denied by %s: %s %s", flag, printable(a.Action), printable(a.Resource))
	}
	return t.decide(ctx, conn, a.RequestID, decision, "")
}

// early takes the messages that came with the subscription: the questions that are open in
// the session. Those that are queued there already are not of this run, and whoever asked
// for them was told.
func early(conn *client.Conn) []abi.Message {
	var keep []abi.Message
	for {
		select {
		case m, ok := <-conn.Messages():
			if !ok {
				return keep
			}
			var a approvalNotice
			if m.Topic == abi.TopicApproval && json.Unmarshal(m.Payload, &a) == nil && a.Queued {
				continue
			}
			keep = append(keep, m)
		default:
			return keep
		}
	}
}

// decide sends an answer.
func (t *turn) decide(ctx context.Context, conn *client.Conn, id, decision, reason string) error {
	r := abi.ApprovalResponse{RequestID: id, Decision: decision}
	if reason != "" {
		r.Reason = &reason
	}
	err := conn.Publish(ctx, abi.TopicApprovalResponse+id, t.session, "", r)
	if err != nil && !errors.Is(err, client.ErrClosed) {
		t.sys.notef("the answer to %s was not taken: %v", printable(id), err)
		return nil
	}
	return err
}
