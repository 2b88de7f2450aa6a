package approval

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/unicity-astrid/astrid-go/capability"
)

// TokenStore is the Tokens of the signed capability store.
type TokenStore struct {
	tokens *capability.Tokens
	// TTL of minted tokens; 0 = until they are revoked.
	TTL time.Duration
	// UserID is recorded as who agreed.
	UserID [8]byte
}

// NewTokenStore makes a Tokens of a capability store.
func NewTokenStore(t *capability.Tokens) *TokenStore { return &TokenStore{tokens: t} }

// Find looks for a token of the subject's principal and capsule. A resource that no pattern may match has none.
func (t *TokenStore) Find(ctx context.Context, s *Subject, a *Action) (Token, error) {
	m, err := t.tokens.Find(ctx, s.Principal, s.Capsule, a.Resource)
	if errors.Is(err, capability.ErrNotFound) || errors.Is(err, capability.ErrResource) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return found{m}, nil
}

// Mint makes a persistent token for one capsule of one principal.
func (t *TokenStore) Mint(ctx context.Context, m Mint) (string, error) {
	entry, err := uuid.Parse(m.AuditID)
	if err != nil {
		return "", fmt.Errorf("mint token: audit entry %q: %w", m.AuditID, err)
	}
	if m.Capsule == "" {
		// The store reads it as "any capsule", which no answer to a question means.
		return "", errors.New("mint token: no capsule named")
	}
	k, err := t.tokens.Mint(ctx, capability.Request{Principal: m.Principal, Capsule: m.Capsule, Resource: m.Resource,
		Scope: capability.Persistent, TTL: t.TTL, UserID: t.UserID, AuditID: entry})
	if err != nil {
		return "", err
	}
	return k.ID.String(), nil
}

// found is a token on its way through a decision.
type found struct{ *capability.Match }

func (f found) ID() string   { return f.Token.ID.String() }
func (f found) Hash() string { return f.Token.HashText() }

func (f found) Claim(ctx context.Context) error {
	err := f.Match.Claim(ctx)
	if errors.Is(err, capability.ErrUsed) || errors.Is(err, capability.ErrRevoked) || errors.Is(err, capability.ErrExpired) {
		return fmt.Errorf("%w: %w", ErrTokenGone, err)
	}
	return err
}
