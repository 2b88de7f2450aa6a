package identity

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
)

// The account of the person at the daemon's own machine.
const (
	LocalPlatform = "cli"
	LocalAccount  = "local"
)

// EnsureRoot returns the user of the local account, and makes it at the first boot: root, under the principal "default", which
// is also whom everything belongs to that names nobody.
func (s *Store) EnsureRoot(ctx context.Context) (User, error) {
	u, err := s.Resolve(ctx, LocalPlatform, LocalAccount)
	if !errors.Is(err, ErrNotLinked) {
		return u, err
	}
	if u, err = s.create(ctx, "root", defaultPrincipal); err != nil {
		return User{}, fmt.Errorf("create the user root: %w", err)
	}
	if _, err = s.Link(ctx, LocalPlatform, LocalAccount, u.ID, "system"); err != nil {
		return User{}, fmt.Errorf("link the user root: %w", err)
	}
	return u, nil
}

// Wanted is a link from the configuration.
type Wanted struct {
	Platform       string
	PlatformUserID string
	AstridUser     string // UUID of a user that exists, or a display name, for which a user is made if there is none
	Method         string
	Source         string // where it is written, for errors
}

// Apply makes the links of the configuration, one by one, and returns an error for each that could not be made. Links that are there
// already stay as they are.
func (s *Store) Apply(ctx context.Context, wanted []Wanted) []error {
	var errs []error
	for _, w := range wanted {
		if err := s.apply(ctx, w); err != nil {
			errs = append(errs, fmt.Errorf("%s: link %s/%s to %q: %w", w.Source, w.Platform, w.PlatformUserID, w.AstridUser, err))
		}
	}
	return errs
}

func (s *Store) apply(ctx context.Context, w Wanted) error {
	key, err := linkKey(w.Platform, w.PlatformUserID)
	if err != nil {
		return err
	}
	u, err := s.named(ctx, w.AstridUser)
	if err != nil {
		return err
	}
	l, err := s.link(ctx, key)
	if err == nil && l.AstridUserID == u.ID {
		return nil
	}
	if err != nil && !errors.Is(err, ErrNotLinked) {
		return err
	}
	_, err = s.Link(ctx, w.Platform, w.PlatformUserID, u.ID, w.Method)
	return err
}

func (s *Store) named(ctx context.Context, who string) (User, error) {
	if id, err := uuid.Parse(who); err == nil {
		return s.User(ctx, id)
	}
	u, err := s.UserByName(ctx, who)
	if errors.Is(err, ErrUserNotFound) && who != "" {
		return s.CreateUser(ctx, who)
	}
	return u, err
}
