package host

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
)

// planApproval lets a capsule ask the gate explicitly. The action is named by the guest,
// so it is put into a namespace of its own ("ask:") where it can never cover a real
// resource, and its text is shown as the capsule's claim.
func (h *Host) planApproval(_ context.Context, f *frame, args [][]byte) (plan, error) {
	var req abi.ApprovalRequest
	if err := decode(args[0], &req, "approval"); err != nil {
		return plan{}, err
	}
	if n := utf8.RuneCountInString(req.Action); n > abi.MaxApprovalAction {
		return plan{}, abi.Errorf(abi.CodeTooLarge, "approval request action exceeds maximum length (%d > %d)", n, abi.MaxApprovalAction)
	}
	action, resource := printable(req.Action, abi.MaxApprovalAction), printable(req.Resource, abi.MaxApprovalText)
	if action == "" || resource == "" {
		return plan{}, abi.Errorf(abi.CodeInvalid, "invalid approval request: action and resource must not be empty")
	}
	return plan{
		action: approval.Action{
			Kind: approval.Ask, Resource: "ask:" + action + ":" + resource,
			Risk: printable(req.RiskLevel, abi.MaxApprovalRisk), Detail: action,
		},
		bounds: own,
		do: func(_ context.Context, g approval.Grant) ([]byte, error) {
			return json.Marshal(abi.ApprovalAnswer{Approved: true, Decision: g.Proof()})
		},
		refused: func(err error) ([]byte, bool) {
			if !errors.Is(err, approval.ErrDenied) && !errors.Is(err, approval.ErrDeferred) {
				return nil, false
			}
			b, merr := json.Marshal(abi.ApprovalAnswer{Decision: abi.DecisionDeny})
			return b, merr == nil
		},
	}, nil
}

// printable trims s, drops control characters and cuts it to limit runes.
func printable(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	s = strings.TrimSpace(s)
	if r := []rune(s); len(r) > limit {
		s = string(r[:limit])
	}
	return s
}
