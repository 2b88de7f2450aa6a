package kernel

import (
	"context"
	"encoding/json"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
)

// listApprovals lists what waits for an answer, the riskiest first.
func (k *Kernel) listApprovals(_ context.Context, principal string, _ json.RawMessage) (any, error) {
	out := []abi.ApprovalInfo{}
	for _, r := range k.gate.Approvals().Pending(principal) {
		out = append(out, approvalInfo(r))
	}
	return out, nil
}

// answerRequest answers an open or queued request and returns what was answered.
func (k *Kernel) answerRequest(ctx context.Context, principal string, raw json.RawMessage) (any, error) {
	var p abi.ApprovalReply
	if err := params(abi.MethodAnswerApproval, raw, &p); err != nil {
		return nil, err
	}
	r, err := k.gate.Approvals().Show(principal, p.RequestID)
	if err != nil {
		return nil, err
	}
	d := approval.Decision{Choice: approval.Choice(p.Decision), Feedback: p.Reason, Scope: approval.Scope(p.Scope)}
	if p.Pattern != "" {
		d.Pattern = &approval.Pattern{Type: approval.ResourceGlob, Pattern: p.Pattern}
	}
	if err := k.resolve(ctx, principal, p.RequestID, d); err != nil {
		return nil, err
	}
	return approvalInfo(r), nil
}

func approvalInfo(r approval.Request) abi.ApprovalInfo {
	info := abi.ApprovalInfo{
		ID: r.ID, Capsule: r.Capsule, Session: r.Session, Workspace: r.Workspace, Kind: string(r.Kind),
		Action: r.Action, Resource: r.Resource, Method: r.Method, Detail: r.Detail, Reason: r.Reason,
		Rule: r.Rule, Source: r.Source, Risk: r.Risk, CostUSD: r.Cost.USD(), Size: r.Size,
		CreatedAt: r.CreatedAt, Deadline: r.Deadline, Queued: r.Queued, Choices: []abi.ApprovalChoice{},
	}
	for _, c := range r.Choices {
		info.Choices = append(info.Choices, abi.ApprovalChoice{Decision: string(c.Choice), Grants: c.Grants})
	}
	return info
}
