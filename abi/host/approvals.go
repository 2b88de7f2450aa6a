package host

import (
	"context"
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
			Kind: approval.Ask, Resource: "ask:" + askAction.Replace(action) + ":" + resource,
			Risk: printable(req.RiskLevel, abi.MaxApprovalRisk), Detail: action,
		},
		bounds: own,
		do: func(_ context.Context, g approval.Grant) ([]byte, error) {
			return encode(abi.ApprovalAnswer{Approved: true, Decision: decisionOf(g)})
		},
		refused: func(err error) ([]byte, bool) {
			if !errors.Is(err, approval.ErrDenied) && !errors.Is(err, approval.ErrDeferred) {
				return nil, false
			}
			b, merr := encode(abi.ApprovalAnswer{Decision: abi.DecisionDeny})
			return b, merr == nil
		},
	}, nil
}

// askAction keeps the colon between action and resource the first one: a grant for one
// pair must not cover another that only reads the same.
var askAction = strings.NewReplacer("%", "%25", ":", "%3A")

// decisionOf says in the contract's words why an explicit question was answered with yes.
func decisionOf(g approval.Grant) string {
	if asked, ok := g.(interface{ Choice() approval.Choice }); ok && asked.Choice() != "" {
		return string(asked.Choice())
	}
	if strings.HasPrefix(g.Proof(), "allowance:") {
		return "allowance"
	}
	return abi.DecisionApprove
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
