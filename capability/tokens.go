package capability

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/google/uuid"
)

// DefaultSkew is by how much clocks may differ where expiry is judged.
const DefaultSkew = 30 * time.Second

// Signer signs tokens with the runtime key.
type Signer interface {
	Public() ed25519.PublicKey
	Sign(message []byte) ([]byte, error)
}

// Options of [Tokens]. Store and Signer are required.
type Options struct {
	Store  Store
	Signer Signer
	// Trusted are further issuers to accept, such as an earlier runtime key.
	Trusted []ed25519.PublicKey
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Skew is how far clocks may differ; 0 means DefaultSkew, less than 0 none.
	Skew time.Duration
}

// Tokens mints, finds and revokes tokens. It is safe for concurrent use, also with other
// processes on the same store.
type Tokens struct {
	now     func() time.Time
	skew    time.Duration
	signer  Signer
	trusted []ed25519.PublicKey
	// Session tokens and durable ones are kept alike, in different stores.
	session, durable *shelf
}

// Open returns the tokens of a store.
func Open(o Options) (*Tokens, error) {
	if o.Store == nil || o.Signer == nil {
		return nil, errors.New("capability: Options need Store and Signer")
	}
	t := &Tokens{now: o.Now, skew: o.Skew, signer: o.Signer}
	if t.now == nil {
		t.now = time.Now
	}
	switch {
	case t.skew == 0:
		t.skew = DefaultSkew
	case t.skew < 0:
		t.skew = 0
	}
	for _, k := range append([]ed25519.PublicKey{o.Signer.Public()}, o.Trusted...) {
		if len(k) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("capability: trusted key of %d bytes, want %d", len(k), ed25519.PublicKeySize)
		}
		t.trusted = append(t.trusted, append(ed25519.PublicKey(nil), k...))
	}
	t.session = newShelf(t, NewMemStore())
	t.durable = newShelf(t, o.Store)
	return t, nil
}

// Request asks for a token.
type Request struct {
	Principal   string
	Capsule     string        // "" for any capsule of the principal
	Resource    string        // pattern; [Quote] makes one of a concrete resource
	Permissions []Permission  // nil: the one the pattern's scheme needs
	Scope       Scope         // "" means Persistent
	TTL         time.Duration // 0: no expiry; fractions of a second are dropped
	UserID      [8]byte
	AuditID     uuid.UUID // entry of the approval; must exist before the token does
	SingleUse   bool
}

// Mint makes, signs and stores a token. [Tokens.Find] sees it once Mint has returned.
func (t *Tokens) Mint(ctx context.Context, r Request) (Token, error) {
	p, err := ParsePattern(r.Resource)
	if err != nil {
		return Token{}, fmt.Errorf("mint token: %w", err)
	}
	id, err := uuid.NewRandom()
	if err != nil {
		return Token{}, fmt.Errorf("mint token: %w", err)
	}
	k := Token{
		ID: id, Resource: r.Resource, Permissions: append([]Permission(nil), r.Permissions...), IssuedAt: t.now().UTC().Truncate(time.Second),
		Scope: r.Scope, UserID: r.UserID, AuditID: r.AuditID, SingleUse: r.SingleUse, Principal: r.Principal, Capsule: r.Capsule,
	}
	if len(k.Permissions) == 0 {
		k.Permissions = []Permission{permissionOf(p.Scheme())}
	}
	if k.Scope == "" {
		k.Scope = Persistent
	}
	if r.TTL != 0 {
		k.ExpiresAt = k.IssuedAt.Add(r.TTL).Truncate(time.Second)
	}
	copy(k.Issuer[:], t.trusted[0])
	if err := k.check(); err != nil {
		return Token{}, fmt.Errorf("mint token: %w", err)
	}
	sig, err := t.signer.Sign(k.Payload())
	if err == nil && len(sig) != len(k.Signature) {
		err = fmt.Errorf("signature of %d bytes", len(sig))
	}
	if err != nil {
		return Token{}, fmt.Errorf("mint token: %w", err)
	}
	copy(k.Signature[:], sig)
	return k, t.shelf(k.Scope).add(ctx, k)
}

func (t *Tokens) shelf(s Scope) *shelf {
	if s == Session {
		return t.session
	}
	return t.durable
}

func (t *Tokens) shelves() []*shelf { return []*shelf{t.session, t.durable} }

// Revoke takes a token back. When it returns without error, no Find or Claim in any
// process accepts the token any more. Revoking twice is no error.
func (t *Tokens) Revoke(ctx context.Context, principal string, id uuid.UUID, reason string) error {
	i, err := t.Show(ctx, principal, id)
	if err != nil {
		return err
	}
	if i.Status == Revoked {
		return nil
	}
	if err := t.holding(ctx, i.Token).revoke(ctx, principal, id, reason); err != nil {
		return fmt.Errorf("revoke token %s: %w", id, err)
	}
	return nil
}

// holding returns the shelf that keeps a listed token. What an invalid one says about its
// scope is not to be believed.
func (t *Tokens) holding(ctx context.Context, k Token) *shelf {
	if _, err := t.session.store.Get(ctx, tokenKey(k.Principal, k.ID)); err == nil {
		return t.session
	}
	return t.durable
}

// RevokeCapsule takes back all tokens of one capsule, as its removal does, and returns how many.
func (t *Tokens) RevokeCapsule(ctx context.Context, principal, capsule, reason string) (int, error) {
	if capsule == "" {
		return 0, fmt.Errorf("%w: no capsule named", ErrToken)
	}
	infos, err := t.List(ctx, principal)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, i := range infos {
		if i.Token.Capsule != capsule || i.Status == Revoked {
			continue
		}
		if err := t.Revoke(ctx, principal, i.Token.ID, reason); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// ClearSession forgets all session tokens of a principal.
func (t *Tokens) ClearSession(ctx context.Context, principal string) error {
	infos, err := t.session.list(ctx, principal)
	if err != nil {
		return fmt.Errorf("clear session tokens of %s: %w", principal, err)
	}
	for _, i := range infos {
		if err := t.session.forget(ctx, principal, i.Token.ID); err != nil {
			return fmt.Errorf("clear session tokens of %s: %w", principal, err)
		}
	}
	return nil
}

// Prune deletes the tokens of a principal that are past their expiry, and what is kept of
// them, and returns how many. The marks of revoked and used tokens without expiry stay:
// they are what keeps a restored copy from working.
func (t *Tokens) Prune(ctx context.Context, principal string) (int, error) {
	n := 0
	for _, s := range t.shelves() {
		infos, err := s.list(ctx, principal)
		if err != nil {
			return n, fmt.Errorf("prune tokens of %s: %w", principal, err)
		}
		for _, i := range infos {
			end := i.Token.ExpiresAt
			if i.Status == Invalid || end.IsZero() || !t.now().After(end.Add(t.skew)) {
				continue
			}
			if err := s.forget(ctx, principal, i.Token.ID); err != nil {
				return n, fmt.Errorf("prune tokens of %s: %w", principal, err)
			}
			n++
		}
	}
	return n, nil
}

// Keys in the store. A principal has no '/', so one's prefix is never another's.
const (
	tokenPrefix   = "caps:tokens/"
	revokedPrefix = "caps:revoked/"
	usedPrefix    = "caps:used/"
	epochPrefix   = "caps:epoch/"
)

func tokenKey(principal string, id uuid.UUID) string {
	return tokenPrefix + principal + "/" + id.String()
}
func revokedKey(principal string, id uuid.UUID) string {
	return revokedPrefix + principal + "/" + id.String()
}
func usedKey(principal string, id uuid.UUID) string {
	return usedPrefix + principal + "/" + id.String()
}

func absent(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// revocation is what the store keeps of a revoked token.
type revocation struct {
	At     time.Time       `json:"at"`
	Reason string          `json:"reason"`
	Token  json.RawMessage `json:"token,omitempty"`
}
