package approval

import (
	"context"
	"sync/atomic"
)

// Grant is the permission for one effect. The host performs the effect and calls Settle once. A Guarded grant
// also has the methods Choice() Choice and BudgetWarning() (BudgetWarning, bool).
type Grant interface {
	// AuditID is the id of the decision entry; "" for Plain and Message.
	AuditID() string
	// Proof says why the action is allowed: "policy", "token:<id>", "allowance:<id>", "user:<request id>".
	Proof() string
	// Settle records how the effect ended and what it cost. Only the first call counts. Without a call the
	// reserved cost stays spent.
	Settle(ctx context.Context, o Outcome) error
}

// Outcome is how an effect ended.
type Outcome struct {
	Err     error
	CostUSD float64 // what it really cost, when HasCost
	HasCost bool    // false: the reserved cost stands
	Undone  bool    // the effect never started: the whole reservation goes back, tariff floor included
	Detail  string  // one line for the audit log
}

// uncounted is the grant of Plain and Message calls: nothing to settle and nothing allocated.
type uncounted struct{}

func (uncounted) AuditID() string                       { return "" }
func (uncounted) Proof() string                         { return "policy" }
func (uncounted) Settle(context.Context, Outcome) error { return nil }

var plainGrant Grant = uncounted{}

type grant struct {
	auditID     string
	proof       string
	choice      Choice
	reservation *Reservation
	gate        *Interceptor
	subject     Subject
	settled     atomic.Bool
}

func (g *grant) AuditID() string { return g.auditID }
func (g *grant) Proof() string   { return g.proof }

// Choice is the human's answer that allowed this very action; "" when nobody was asked.
func (g *grant) Choice() Choice { return g.choice }

// BudgetWarning reports that this action took a budget past its warning threshold.
func (g *grant) BudgetWarning() (BudgetWarning, bool) {
	if g.reservation.warning == nil {
		return BudgetWarning{}, false
	}
	return *g.reservation.warning, true
}
