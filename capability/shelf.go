package capability

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"github.com/google/uuid"
	"github.com/zeebo/blake3"
)

// shelf keeps the tokens of one store and remembers which of them it has verified.
//
// Each principal has an epoch in the store, counted up after each change to its tokens.
// What a shelf remembers is valid for one epoch, and each use reads the epoch first: that
// is how a revocation in one process ends a token in all of them at once.
type shelf struct {
	t     *Tokens
	store Store

	mu    sync.Mutex
	cache map[string]*verified
}

// verified is what a shelf knows of a principal's tokens. It is not changed once built.
type verified struct {
	epoch    uint64
	byScheme map[string][]*candidate
	good     map[[32]byte]bool // hashes of stored tokens whose signature has been checked
}

// candidate is a token that is genuine and not revoked.
type candidate struct {
	token   Token
	pattern Pattern
}

func newShelf(t *Tokens, s Store) *shelf {
	return &shelf{t: t, store: s, cache: map[string]*verified{}}
}

func (s *shelf) epoch(ctx context.Context, principal string) (uint64, error) {
	b, err := s.store.Get(ctx, epochPrefix+principal)
	if absent(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read token epoch: %w", err)
	}
	if len(b) != 8 {
		return 0, fmt.Errorf("%w: token epoch of %d bytes", ErrToken, len(b))
	}
	return binary.BigEndian.Uint64(b), nil
}

// advance ends what any process remembers of a principal's tokens.
func (s *shelf) advance(ctx context.Context, principal string) error {
	key := epochPrefix + principal
	for {
		old, err := s.store.Get(ctx, key)
		var n uint64
		switch {
		case absent(err):
			old = nil
		case err != nil:
			return fmt.Errorf("advance token epoch: %w", err)
		case len(old) == 8:
			n = binary.BigEndian.Uint64(old)
		}
		err = s.store.CompareAndSwap(ctx, key, old, binary.BigEndian.AppendUint64(nil, n+1))
		if err == nil {
			return nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("advance token epoch: %w", err)
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("advance token epoch: %w", err)
		}
	}
}

// known returns what is known of a principal's tokens in the present epoch.
func (s *shelf) known(ctx context.Context, principal string) (*verified, error) {
	epoch, err := s.epoch(ctx, principal)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	old := s.cache[principal]
	s.mu.Unlock()
	if old != nil && old.epoch == epoch {
		return old, nil
	}
	// The epoch was read before the tokens: if they change now, the epoch is already another.
	v, err := s.load(ctx, principal, epoch, old)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if have := s.cache[principal]; have == nil || have.epoch <= epoch {
		s.cache[principal] = v
	}
	return v, nil
}

// load reads and verifies a principal's tokens. One that cannot be read or verified is no
// candidate; it must not stand in the way of others.
func (s *shelf) load(ctx context.Context, principal string, epoch uint64, old *verified) (*verified, error) {
	v := &verified{epoch: epoch, byScheme: map[string][]*candidate{}, good: map[[32]byte]bool{}}
	revoked, err := s.revokedIDs(ctx, principal)
	if err != nil {
		return nil, err
	}
	keys, err := s.store.List(ctx, tokenPrefix+principal+"/")
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	for _, key := range keys {
		raw, err := s.store.Get(ctx, key)
		if absent(err) {
			continue // deleted since
		}
		if err != nil {
			return nil, fmt.Errorf("read token: %w", err)
		}
		var k Token
		hash := blake3.Sum256(raw)
		if json.Unmarshal(raw, &k) != nil || tokenKey(principal, k.ID) != key || k.Principal != principal || revoked[k.ID] {
			continue
		}
		p, err := ParsePattern(k.Resource)
		if err != nil {
			continue
		}
		if (old == nil || !old.good[hash]) && k.Verify(s.t.trusted...) != nil {
			continue
		}
		v.good[hash] = true
		v.byScheme[p.scheme] = append(v.byScheme[p.scheme], &candidate{token: k, pattern: p})
	}
	return v, nil
}

func (s *shelf) revokedIDs(ctx context.Context, principal string) (map[uuid.UUID]bool, error) {
	prefix := revokedPrefix + principal + "/"
	keys, err := s.store.List(ctx, prefix)
	if err != nil {
		return nil, fmt.Errorf("list revoked tokens: %w", err)
	}
	out := make(map[uuid.UUID]bool, len(keys))
	for _, key := range keys {
		if id, err := uuid.Parse(strings.TrimPrefix(key, prefix)); err == nil {
			out[id] = true
		}
	}
	return out, nil
}

// add stores a new token.
func (s *shelf) add(ctx context.Context, k Token) error {
	raw, err := json.Marshal(k)
	if err != nil {
		return fmt.Errorf("store token: %w", err)
	}
	if err := s.store.CompareAndSwap(ctx, tokenKey(k.Principal, k.ID), nil, raw); err != nil {
		return fmt.Errorf("store token: %w", err)
	}
	return s.advance(ctx, k.Principal)
}

// revoke marks a token, ends what is remembered of it, and then deletes it: whatever
// happens in between, the mark alone is enough.
func (s *shelf) revoke(ctx context.Context, principal string, id uuid.UUID, reason string) error {
	raw, err := s.store.Get(ctx, tokenKey(principal, id))
	if err != nil && !absent(err) {
		return err
	}
	if !json.Valid(raw) {
		raw = nil
	}
	mark, err := json.Marshal(revocation{At: s.t.now().UTC(), Reason: reason, Token: raw})
	if err != nil {
		return err
	}
	if err := s.store.Put(ctx, revokedKey(principal, id), mark); err != nil {
		return err
	}
	if err := s.advance(ctx, principal); err != nil {
		return err
	}
	return s.store.Delete(ctx, tokenKey(principal, id))
}

// forget deletes all traces of a token. The token goes before its marks.
func (s *shelf) forget(ctx context.Context, principal string, id uuid.UUID) error {
	if err := s.store.Delete(ctx, tokenKey(principal, id)); err != nil {
		return err
	}
	if err := s.advance(ctx, principal); err != nil {
		return err
	}
	return errors.Join(s.store.Delete(ctx, revokedKey(principal, id)), s.store.Delete(ctx, usedKey(principal, id)))
}
