package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/google/uuid"
)

// KV is the store that this package needs; kernel/storage.Engine and its scopes satisfy it. A missing key is an
// fs.ErrNotExist, a CompareAndSwap that lost an fs.ErrExist.
type KV interface {
	Get(ctx context.Context, key string) ([]byte, error)
	Put(ctx context.Context, key string, val []byte) error
	Scan(ctx context.Context, prefix string, fn func(key string, val []byte) error) error
	CompareAndSwap(ctx context.Context, key string, old, new []byte) error
}

// Options changes what New uses. The zero value works.
type Options struct {
	Now   func() time.Time
	NewID func() uuid.UUID
}

// Store keeps users and links. Its methods may be called from many goroutines and, if the KV allows it, many processes.
type Store struct {
	kv KV
	o  Options
}

// New returns a store over kv, which should be a namespace of its own ("system:identity").
func New(kv KV, o Options) *Store {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NewID == nil {
		o.NewID = uuid.New
	}
	return &Store{kv: kv, o: o}
}

// CreateUser makes a user. A blank name is no name. The principal follows from the name; where that is taken, and
// where there is no name, the id is part of it.
func (s *Store) CreateUser(ctx context.Context, name string) (User, error) {
	return s.create(ctx, name, "")
}

func (s *Store) create(ctx context.Context, name, principal string) (User, error) {
	name = strings.TrimSpace(name)
	if err := checkText("display_name", name); err != nil {
		return User{}, err
	}
	u := User{ID: s.o.NewID(), CreatedAt: s.o.Now().UTC(), Principal: principal}
	if name != "" {
		u.DisplayName = &name
	}
	if principal == "" {
		p, err := s.claimPrincipal(ctx, u.ID, name)
		if err != nil {
			return User{}, err
		}
		u.Principal = p
	}
	if err := s.putJSON(ctx, "user/"+u.ID.String(), u); err != nil {
		return User{}, err
	}
	if name != "" {
		err := s.kv.CompareAndSwap(ctx, "name/"+name, nil, []byte(u.ID.String()))
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return User{}, fmt.Errorf("store the name of %v: %w", u, err)
		}
	}
	return u, nil
}

// claimPrincipal finds a principal that no other user has and writes down whose it is. The claim comes before the user's record: a crash
// in between wastes a name, the other order could give it twice.
func (s *Store) claimPrincipal(ctx context.Context, id uuid.UUID, name string) (string, error) {
	short := id.String()[:8]
	base := derivePrincipal(name, 64)
	candidates := []string{base, derivePrincipal(name, 55) + "-" + short, "user-" + id.String()}
	if base == "" {
		candidates = []string{"user-" + short, "user-" + id.String()}
	}
	for _, p := range candidates {
		if p == defaultPrincipal { // belongs to the machine's own user
			continue
		}
		err := s.kv.CompareAndSwap(ctx, "principal/"+p, nil, []byte(id.String()))
		if err == nil {
			return p, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return "", fmt.Errorf("store the principal of a new user: %w", err)
		}
	}
	return "", fmt.Errorf("no principal is free for user %v: the id is in use", id)
}

// User returns a user by id, or ErrUserNotFound.
func (s *Store) User(ctx context.Context, id uuid.UUID) (User, error) {
	raw, err := s.kv.Get(ctx, "user/"+id.String())
	if errors.Is(err, fs.ErrNotExist) {
		return User{}, fmt.Errorf("%w: %v", ErrUserNotFound, id)
	}
	if err != nil {
		return User{}, err
	}
	return decodeUser(raw)
}

// UserByName returns the first user of a display name, or ErrUserNotFound. White space around the name does not count.
func (s *Store) UserByName(ctx context.Context, name string) (User, error) {
	name = strings.TrimSpace(name)
	if name == "" {
		return User{}, fmt.Errorf("%w: no name", ErrUserNotFound)
	}
	raw, err := s.kv.Get(ctx, "name/"+name)
	if errors.Is(err, fs.ErrNotExist) {
		return User{}, fmt.Errorf("%w: %q", ErrUserNotFound, name)
	}
	if err != nil {
		return User{}, err
	}
	id, err := uuid.ParseBytes(raw)
	if err != nil {
		return User{}, fmt.Errorf("read the name %q: %w", name, err)
	}
	return s.User(ctx, id)
}

// Users returns all users, by id.
func (s *Store) Users(ctx context.Context) ([]User, error) {
	var out []User
	err := s.kv.Scan(ctx, "user/", func(_ string, raw []byte) error {
		u, err := decodeUser(raw)
		out = append(out, u)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (s *Store) putJSON(ctx context.Context, key string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return s.kv.Put(ctx, key, raw)
}
