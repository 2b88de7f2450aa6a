package capability

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"
)

// Find returns a token that lets a principal's capsule act on a resource, ErrNotFound if
// there is none. The token is not consumed: a decision that holds calls [Match.Claim]
// before the effect. Tokens that can be used again are preferred to single-use ones.
//
// Any other error means that the store could not be read; treat it as no token.
func (t *Tokens) Find(ctx context.Context, principal, capsule, resource string) (*Match, error) {
	if !validPrincipal(principal) || !validCapsule(capsule) {
		return nil, fmt.Errorf("find token: %w: principal %q, capsule %q", ErrToken, principal, capsule)
	}
	r, err := ParseResource(resource)
	if err != nil {
		return nil, fmt.Errorf("find token: %w", err)
	}
	var single *Match
	for _, s := range t.shelves() {
		v, err := s.known(ctx, principal)
		if err != nil {
			return nil, fmt.Errorf("find token: %w", err)
		}
		for _, c := range v.byScheme[r.scheme] {
			if !c.covers(t, capsule, r) {
				continue
			}
			m := &Match{Token: c.token, Resource: r, shelf: s, epoch: v.epoch, capsule: capsule}
			if !c.token.SingleUse {
				return m, nil
			}
			if single != nil {
				continue
			}
			_, err := s.store.Get(ctx, usedKey(principal, c.token.ID))
			if absent(err) {
				single = m
			} else if err != nil {
				return nil, fmt.Errorf("find token: %w", err)
			}
		}
	}
	if single == nil {
		return nil, fmt.Errorf("find token: %w for %s", ErrNotFound, resource)
	}
	return single, nil
}

// covers decides whether a genuine token may be used now.
func (c *candidate) covers(t *Tokens, capsule string, r Resource) bool {
	k := &c.token
	return (k.Capsule == "" || k.Capsule == capsule) && !k.Expired(t.now(), t.skew) &&
		slices.Contains(k.Permissions, r.Permission()) && c.pattern.Matches(r)
}

// Match is a token found for a resource, to be claimed before the effect.
type Match struct {
	Token    Token
	Resource Resource

	shelf   *shelf
	epoch   uint64
	capsule string

	mu      sync.Mutex
	claimed bool
	mark    []byte // what Claim stored for a single-use token
}

// claim is what the store keeps of a used single-use token. The nonce makes it this
// claim, so that nobody else's is released.
type claim struct {
	At    time.Time `json:"at"`
	Nonce string    `json:"nonce"`
}

// Claim makes the token count for this decision. It fails with ErrRevoked or ErrExpired if
// the token ended since Find, and with ErrUsed if a single-use token was claimed first by
// somebody else; [Tokens.Find] may then find another one. Of all callers, in all
// processes, one gets a single-use token.
func (m *Match) Claim(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.claimed {
		return fmt.Errorf("claim token %s: %w", m.Token.ID, ErrUsed)
	}
	if err := m.recheck(ctx); err != nil {
		return fmt.Errorf("claim token %s: %w", m.Token.ID, err)
	}
	if !m.Token.SingleUse {
		m.claimed = true
		return nil
	}
	mark, err := json.Marshal(claim{At: m.shelf.t.now().UTC(), Nonce: rand.Text()})
	if err != nil {
		return fmt.Errorf("claim token %s: %w", m.Token.ID, err)
	}
	err = m.shelf.store.CompareAndSwap(ctx, usedKey(m.Token.Principal, m.Token.ID), nil, mark)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("claim token %s: %w", m.Token.ID, ErrUsed)
	}
	if err != nil {
		// It may have been stored all the same: then the token is gone, and nothing was done.
		return fmt.Errorf("claim token %s: %w", m.Token.ID, err)
	}
	m.claimed, m.mark = true, mark
	// A revocation that returned before the mark was stored must win.
	if err := m.recheck(ctx); err != nil {
		return fmt.Errorf("claim token %s: %w", m.Token.ID, err)
	}
	return nil
}

// recheck sees whether the token still stands.
func (m *Match) recheck(ctx context.Context) error {
	if m.Token.Expired(m.shelf.t.now(), m.shelf.t.skew) {
		return ErrExpired
	}
	v, err := m.shelf.known(ctx, m.Token.Principal)
	if err != nil {
		return err
	}
	if v.epoch == m.epoch {
		return nil
	}
	for _, c := range v.byScheme[m.Resource.scheme] {
		if c.token.ID == m.Token.ID && c.token.Signature == m.Token.Signature {
			return nil
		}
	}
	return ErrRevoked
}

// Release gives back a claim whose decision did not hold after all. It does nothing to a
// token that can be used again, or that was not claimed.
func (m *Match) Release(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.claimed {
		return nil
	}
	if m.mark != nil {
		err := m.shelf.store.CompareAndSwap(ctx, usedKey(m.Token.Principal, m.Token.ID), m.mark, nil)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("release token %s: %w", m.Token.ID, err)
		}
	}
	m.claimed, m.mark = false, nil
	return nil
}
