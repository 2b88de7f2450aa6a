// Package approval asks the person before the capsule does something of its own accord.
// Effects on the host (files, network, programs) are asked for by the host itself.
package approval

import (
	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/internal/wire"
)

// Risk levels.
const (
	Low      = "low"
	Medium   = "medium"
	High     = "high"
	Critical = "critical"
)

// Request asks for one action on one resource and waits for the decision, at most
// [abi.ApprovalTimeout]. A refusal, also for want of an answer, is an answer with Approved
// false, not an error. The texts are shown as the capsule's claim.
func Request(action, resource, risk string) (abi.ApprovalAnswer, error) {
	var a abi.ApprovalAnswer
	err := wire.Ask(abi.RequestApproval, abi.ApprovalRequest{Action: action, Resource: resource, RiskLevel: risk}, &a)
	return a, err
}
