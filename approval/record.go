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
	ProofHash                   string // of the token in Proof
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

// Token is a capability token that covers an action. Finding it consumes nothing.
type Token interface {
	ID() string
	Hash() string // of its signed content, hex
	// Claim makes it count for this decision; ErrTokenGone when it was used, revoked or has expired since.
	Claim(ctx context.Context) error
	// Release takes the claim back.
	Release(ctx context.Context) error
}

// Mint asks for a token.
type Mint struct {
	Principal, Capsule string
	Resource           string // pattern in the language of capability.ParsePattern
	AuditID            string // the entry that recorded the human's decision
}

// Tokens is what the gate needs of the capability store.
type Tokens interface {
	// Find returns a token that covers the action, or nil.
	Find(ctx context.Context, s *Subject, a *Action) (Token, error)
	// Mint makes a token and returns its id.
	Mint(ctx context.Context, m Mint) (id string, err error)
}

// noTokens is the capability store of a gate without one.
type noTokens struct{}

func (noTokens) Find(context.Context, *Subject, *Action) (Token, error) { return nil, nil }
func (noTokens) Mint(context.Context, Mint) (string, error) {
	return "", errors.New("there is no capability store")
}
