package approval

import (
	"context"
	"errors"
)

// Record is one decision, as it goes to the audit log.
type Record struct {
	Principal, Capsule, Session string
	Via                         []string // capsules the call came through
	Function                    string
	Method                      string // of network requests
	Kind                        Kind
	Resource                    string // clipped to MaxAuditResource bytes, with the hash of the whole when clipped
	Allowed                     bool
	Deferred                    bool   // refused for now, waiting in the queue
	Layer, Rule, Source         string // who decided
	Reason                      string // refusals only
	Proof                       string // allowed ones only
	Granted                     string // lasting grant the human gave, "" for none
	RequestID                   string // approval request that was answered or queued
	Risk                        string
	Cost                        Micros
	Relaxed                     bool // in-workspace read: may be answered before the fsync
}

// Settlement is the end of an allowed action.
type Settlement struct {
	Principal, Capsule, Session string
	AuditID                     string
	Err                         string // "" = success
	Cost                        Micros
	Detail                      string
}

// Auditor is what the gate needs of the audit log. Append returns the id of the entry once it is as durable
// as the record asks for.
type Auditor interface {
	Append(ctx context.Context, r Record) (id string, err error)
	Settle(ctx context.Context, s Settlement) error
}

// Token is a capability token that covers an action.
type Token struct {
	ID       string
	Resource string
	Single   bool
}

// Mint asks for a token.
type Mint struct {
	Principal, Capsule string
	Kind               Kind
	Resource           string // pattern in the language of Glob; literal text is escaped
	AuditID            string // the entry that recorded the human's decision
}

// Tokens is what the gate needs of the capability store.
type Tokens interface {
	// Find returns the tokens that cover the action, best first. Nothing is consumed.
	Find(ctx context.Context, s Subject, a *Action) ([]Token, error)
	// Claim consumes one use; ErrTokenGone when it was used, revoked or has expired since.
	Claim(ctx context.Context, principal string, t Token) error
	// Release gives a claimed use back.
	Release(ctx context.Context, principal string, t Token) error
	// Mint makes a token and returns its id.
	Mint(ctx context.Context, m Mint) (id string, err error)
}

// noTokens is the capability store of a gate without one.
type noTokens struct{}

func (noTokens) Find(context.Context, Subject, *Action) ([]Token, error) { return nil, nil }
func (noTokens) Claim(context.Context, string, Token) error              { return ErrTokenGone }
func (noTokens) Release(context.Context, string, Token) error            { return ErrTokenGone }
func (noTokens) Mint(context.Context, Mint) (string, error)              { return "", errNoTokens }

var errNoTokens = errors.New("there is no capability store")
