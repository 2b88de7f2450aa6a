package kernel

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
)

// Limits of a list of questions, in bytes. What capsules ask is long if they want it to be, and a list of it that does not
// fit into a frame would show nobody anything.
const (
	listedWhole = abi.MaxFrame / 4 // of a list, as it is sent; then texts are shortened
	listedText  = 256              // of each text
)

// listApprovals lists what waits for an answer, the riskiest first, or the one that is named.
func (k *Kernel) listApprovals(_ context.Context, principal string, raw json.RawMessage) (any, error) {
	var q abi.ApprovalQuery
	if err := params(abi.MethodListApprovals, raw, &q); err != nil {
		return nil, err
	}
	if q.RequestID != "" {
		r, err := k.gate.Approvals().Show(principal, q.RequestID)
		if err != nil {
			return nil, err
		}
		return []abi.ApprovalInfo{approvalInfo(r)}, nil
	}
	out := []abi.ApprovalInfo{}
	size := 0
	for _, r := range k.gate.Approvals().Pending(principal) {
		info := approvalInfo(r)
		b, err := json.Marshal(info)
		if err != nil {
			return nil, err
		}
		if size+len(b) > listedWhole {
			shortenApproval(&info)
		} else {
			size += len(b)
		}
		out = append(out, info)
	}
	return out, nil
}

func shortenApproval(info *abi.ApprovalInfo) {
	texts := []*string{&info.Action, &info.Resource, &info.Detail, &info.Reason}
	for i := range info.Choices {
		texts = append(texts, &info.Choices[i].Grants)
	}
	for _, t := range texts {
		if n := len(*t); n > listedText {
			const half = listedText / 2
			*t = fmt.Sprintf("%s …(%d bytes left out)… %s", strings.ToValidUTF8((*t)[:half], ""), n-2*half, strings.ToValidUTF8((*t)[n-half:], ""))
		}
	}
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
