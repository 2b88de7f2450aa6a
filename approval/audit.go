package approval

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/unicity-astrid/astrid-go/audit"
)

// AuditLog is the Auditor that writes to the signed log.
type AuditLog struct{ log *audit.Log }

// NewAuditLog makes an Auditor of a log.
func NewAuditLog(l *audit.Log) *AuditLog { return &AuditLog{l} }

// decisionData is what a decision entry holds besides the fields of every entry.
type decisionData struct {
	Granted   string `json:"granted,omitempty"`    // lasting grant of a human
	RequestID string `json:"request_id,omitempty"` // question that was answered or queued
	Risk      string `json:"risk,omitempty"`
	Method    string `json:"method,omitempty"`
}

// Append writes one decision entry.
func (l *AuditLog) Append(ctx context.Context, r Record) (string, error) {
	d := audit.Draft{
		Kind: audit.KindDecision, Session: r.Session, Capsule: r.Capsule, Via: r.Via, Function: r.Function,
		Action: string(r.Kind), Resource: r.Resource, Layer: r.Layer, Rule: shorten(r.Rule, 1<<10),
		Source: r.Source, Reason: r.Reason, Proof: proofOf(r), MayLag: r.Relaxed && r.Allowed,
	}
	switch {
	case r.Allowed:
		d.Verdict = audit.Allow
	case r.Deferred:
		d.Verdict = audit.Defer
	default:
		d.Verdict = audit.Deny
	}
	if r.Cost > 0 {
		usd := r.Cost.USD()
		d.CostUSD = &usd
	}
	data := decisionData{Granted: shorten(r.Granted, 4<<10), RequestID: r.RequestID, Risk: r.Risk, Method: shorten(r.Method, 64)}
	var err error
	if d.Data, err = json.Marshal(data); err != nil {
		return "", err
	}
	e, err := l.log.Append(ctx, r.Principal, d)
	if err != nil {
		return "", err
	}
	return e.ID.String(), nil
}

// proofOf splits "kind:id" into the log's terms.
func proofOf(r Record) audit.Proof {
	kind, id, _ := strings.Cut(r.Proof, ":")
	switch kind {
	case "policy":
		return audit.Proof{Kind: audit.ProofPolicy}
	case "token":
		return audit.Proof{Kind: audit.ProofToken, ID: id, Hash: r.ProofHash}
	case "allowance":
		return audit.Proof{Kind: audit.ProofAllowance, ID: id}
	case "user":
		return audit.Proof{Kind: audit.ProofApproval, ID: id, By: r.Principal}
	}
	return audit.Proof{}
}

// Settle writes the outcome entry of a decision. It may lag: the decision itself is durable.
func (l *AuditLog) Settle(ctx context.Context, s Settlement) error {
	of, err := audit.ParseID(s.AuditID)
	if err != nil {
		return fmt.Errorf("settle: %w", err)
	}
	d := audit.Draft{Kind: audit.KindOutcome, Session: s.Session, Capsule: s.Capsule, Of: of, MayLag: true,
		Outcome: &audit.Outcome{Status: audit.Success, Text: s.Detail}}
	if s.Err != "" {
		d.Outcome = &audit.Outcome{Status: audit.Failure, Text: s.Err}
	}
	if s.Cost > 0 {
		usd := s.Cost.USD()
		d.CostUSD = &usd
	}
	_, err = l.log.Append(ctx, s.Principal, d)
	return err
}

// shorten cuts text for people to at most n bytes, on a character boundary.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	const mark = "…"
	n -= len(mark)
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + mark
}
