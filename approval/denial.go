package approval

import (
	"errors"
	"strings"
)

// Layers name where a decision was made.
const (
	LayerManifest = "manifest"
	LayerPolicy   = "policy"
	LayerToken    = "token"
	LayerBudget   = "budget"
	LayerApproval = "approval"
	LayerAudit    = "audit"
	LayerGuard    = "guard" // a capsule that decides about messages of others
)

var (
	// ErrDenied: a layer said no. Trying again unchanged gives the same answer.
	ErrDenied = errors.New("denied")
	// ErrBudget: the call would cost more than a budget leaves. It is an ErrDenied too.
	ErrBudget = errors.New("budget exceeded")
	// ErrDeferred: nobody was there to ask. The request is kept; it may succeed once it was approved.
	ErrDeferred = errors.New("deferred until someone approves it")
	// ErrAuditFailed: the decision could not be recorded, so nothing was done.
	ErrAuditFailed = errors.New("audit failed, so nothing was done")
)

// Denial is the refusal of one action. errors.Is tells its sort: ErrDenied (with ErrBudget for budgets),
// ErrDeferred, ErrBraked or ErrAuditFailed.
type Denial struct {
	Layer     string // one of the Layer constants
	Rule      string // the rule that decided, as configured or as declared
	Source    string // file:line that set the rule; "" for built-in ones
	AuditID   string // entry that recorded the refusal; "" when it could not be written, or the brake let none be
	Reason    string // one sentence, safe to show
	RequestID string // of the queued request (ErrDeferred)

	is    error
	cause error
}

// Error says layer, reason, rule and where the rule was set.
func (d *Denial) Error() string {
	var b strings.Builder
	b.WriteString(d.is.Error())
	b.WriteString(" by ")
	b.WriteString(d.Layer)
	if d.Reason != "" {
		b.WriteString(": ")
		b.WriteString(d.Reason)
	}
	if d.Rule != "" {
		b.WriteString(" (rule ")
		b.WriteString(d.Rule)
		if d.Source != "" && d.Source != "default" { // nobody set it
			b.WriteString(", set in ")
			b.WriteString(d.Source)
		}
		b.WriteString(")")
	}
	if d.RequestID != "" && d.is == ErrDeferred { // else it is decided, and there is nothing to answer
		b.WriteString("; answer it with `astrid approvals`, request ")
		b.WriteString(d.RequestID)
	}
	return b.String()
}

// Is reports the sort of refusal.
func (d *Denial) Is(target error) bool {
	return target == d.is || (d.is == ErrBudget && target == ErrDenied)
}

// Unwrap gives the error that caused the refusal, if there was one.
func (d *Denial) Unwrap() error { return d.cause }
