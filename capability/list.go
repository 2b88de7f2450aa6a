package capability

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Status says whether a token can be used.
type Status string

// Statuses.
const (
	Active  Status = "active"
	Expired Status = "expired" // or not yet begun: the clock was set back
	Revoked Status = "revoked"
	Used    Status = "used"    // single-use, claimed
	Invalid Status = "invalid" // bad form, signature or issuer; Info.Problem says which
)

// Info is a token with its status.
type Info struct {
	Token   Token
	Status  Status
	Problem string    // of an invalid one
	Revoked time.Time // of a revoked one
	Reason  string    // of a revoked one
}

// List returns the tokens of a principal: session tokens first, then by id. Tokens that
// cannot be used any more are listed too.
func (t *Tokens) List(ctx context.Context, principal string) ([]Info, error) {
	if !validPrincipal(principal) {
		return nil, fmt.Errorf("%w: principal %q", ErrToken, principal)
	}
	var out []Info
	for _, s := range t.shelves() {
		infos, err := s.list(ctx, principal)
		if err != nil {
			return nil, fmt.Errorf("list tokens of %s: %w", principal, err)
		}
		out = append(out, infos...)
	}
	return out, nil
}

// Show returns one token; ErrNotFound if the principal has none with this id.
func (t *Tokens) Show(ctx context.Context, principal string, id uuid.UUID) (Info, error) {
	infos, err := t.List(ctx, principal)
	if err != nil {
		return Info{}, err
	}
	for _, i := range infos {
		if i.Token.ID == id {
			return i, nil
		}
	}
	return Info{}, fmt.Errorf("%w: %s", ErrNotFound, id)
}

// list returns all tokens of a principal, the revoked ones after the others.
func (s *shelf) list(ctx context.Context, principal string) ([]Info, error) {
	revoked, err := s.revokedIDs(ctx, principal)
	if err != nil {
		return nil, err
	}
	var out []Info
	prefix := tokenPrefix + principal + "/"
	keys, err := s.store.List(ctx, prefix)
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		id, err := uuid.Parse(strings.TrimPrefix(key, prefix))
		if err != nil || revoked[id] {
			continue
		}
		raw, err := s.store.Get(ctx, key)
		if absent(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		info, err := s.inspect(ctx, principal, id, raw)
		if err != nil {
			return nil, err
		}
		out = append(out, info)
	}
	for id := range revoked {
		raw, err := s.store.Get(ctx, revokedKey(principal, id))
		if absent(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, revokedInfo(principal, id, raw))
	}
	return sorted(out), nil
}

// inspect finds out the status of a stored token.
func (s *shelf) inspect(ctx context.Context, principal string, id uuid.UUID, raw []byte) (Info, error) {
	var i Info
	err := json.Unmarshal(raw, &i.Token)
	if err == nil {
		err = i.Token.Verify(s.t.trusted...)
	}
	if err == nil && (i.Token.ID != id || i.Token.Principal != principal) {
		err = fmt.Errorf("%w: stored under another name", ErrToken)
	}
	switch {
	case err != nil:
		i.Status, i.Problem = Invalid, err.Error()
		i.Token.ID, i.Token.Principal = id, principal // what it is stored as is how to revoke it
		return i, nil
	case i.Token.Expired(s.t.now(), s.t.skew):
		i.Status = Expired
		return i, nil
	}
	i.Status = Active
	if i.Token.SingleUse {
		_, err := s.store.Get(ctx, usedKey(principal, id))
		if err == nil {
			i.Status = Used
		} else if !absent(err) {
			return i, err
		}
	}
	return i, nil
}

func revokedInfo(principal string, id uuid.UUID, raw []byte) Info {
	i := Info{Status: Revoked}
	var r revocation
	if json.Unmarshal(raw, &r) == nil {
		i.Revoked, i.Reason = r.At, r.Reason
		if len(bytes.TrimSpace(r.Token)) > 0 {
			_ = json.Unmarshal(r.Token, &i.Token) // a token that was invalid is listed by id alone
		}
	}
	i.Token.ID, i.Token.Principal = id, principal
	return i
}

// sorted orders by id, the revoked after the others.
func sorted(infos []Info) []Info {
	slices.SortFunc(infos, func(a, b Info) int {
		if gone := a.Status == Revoked; gone != (b.Status == Revoked) {
			if gone {
				return 1
			}
			return -1
		}
		return bytes.Compare(a.Token.ID[:], b.Token.ID[:])
	})
	return infos
}
