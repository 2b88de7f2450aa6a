package kernel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/google/uuid"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/host"
	"github.com/unicity-astrid/astrid-go/kernel/config"
	"github.com/unicity-astrid/astrid-go/kernel/home"
	"github.com/unicity-astrid/astrid-go/kernel/identity"
	"github.com/unicity-astrid/astrid-go/kernel/storage"
)

// localUser opens the store of users and makes what must be there: the user of this
// machine, who is returned first, and the links of the configuration. A link that cannot be
// made is told and does not keep the daemon from starting.
func localUser(ctx context.Context, store storage.Engine, o Options) (identity.User, *identity.Store, error) {
	scope, err := storage.Scoped(store, "system:identity", storage.Quota{})
	if err != nil {
		return identity.User{}, nil, err
	}
	users := identity.New(scope, identity.Options{Now: o.Now})
	root, err := users.EnsureRoot(ctx)
	if err != nil {
		return identity.User{}, nil, fmt.Errorf("users: %w", err)
	}
	for _, err := range users.Apply(ctx, wanted(o.Config.Identity.Links)) {
		slog.Warn("A link of the configuration could not be made", "error", err)
	}
	all, err := users.Users(ctx)
	if err != nil {
		return identity.User{}, nil, fmt.Errorf("users: %w", err)
	}
	for _, u := range all {
		if err := ensureHome(o.Home, u); err != nil {
			return identity.User{}, nil, fmt.Errorf("home of %v: %w", u, err)
		}
	}
	return root, users, nil
}

// ensureHome makes the home of a user's principal: what is done for a user needs a place for files, logs and settings.
func ensureHome(h home.Home, u identity.User) error {
	p, err := h.Principal(u.Principal)
	if err != nil {
		return err
	}
	return p.Ensure()
}

// identities is the store of users as the host functions want it.
type identities struct {
	users *identity.Store
	home  home.Home
}

func (i identities) Resolve(ctx context.Context, platform, account string) (host.User, error) {
	u, err := i.users.Resolve(ctx, platform, account)
	return userOf(u), identityError(err)
}

func (i identities) Link(ctx context.Context, platform, account, user, method string) (abi.IdentityLinkRecord, error) {
	id, err := uuid.Parse(user)
	if err != nil {
		return abi.IdentityLinkRecord{}, abi.Errorf(abi.CodeInvalid, "invalid UUID: %v", err)
	}
	l, err := i.users.Link(ctx, platform, account, id, method)
	return linkRecord(l), identityError(err)
}

func (i identities) Unlink(ctx context.Context, platform, account string) (bool, error) {
	removed, err := i.users.Unlink(ctx, platform, account)
	return removed, identityError(err)
}

func (i identities) CreateUser(ctx context.Context, name string) (host.User, error) {
	u, err := i.users.CreateUser(ctx, name)
	if err != nil {
		return host.User{}, identityError(err)
	}
	return userOf(u), ensureHome(i.home, u)
}

func (i identities) Links(ctx context.Context, user string) ([]abi.IdentityLinkRecord, error) {
	id, err := uuid.Parse(user)
	if err != nil {
		return nil, abi.Errorf(abi.CodeInvalid, "invalid UUID: %v", err)
	}
	links, err := i.users.Links(ctx, id)
	out := []abi.IdentityLinkRecord{}
	for _, l := range links {
		out = append(out, linkRecord(l))
	}
	return out, identityError(err)
}

func userOf(u identity.User) host.User {
	out := host.User{ID: u.ID.String(), Principal: u.Principal}
	if u.DisplayName != nil {
		out.DisplayName = *u.DisplayName
	}
	return out
}

func linkRecord(l identity.Link) abi.IdentityLinkRecord {
	return abi.IdentityLinkRecord{
		Platform: l.Platform, PlatformUserID: l.PlatformUserID, AstridUserID: l.AstridUserID.String(), LinkedAt: l.LinkedAtText(), Method: l.Method,
	}
}

// identityError gives the store's errors the codes of the contract.
func identityError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, identity.ErrNotLinked), errors.Is(err, identity.ErrUserNotFound):
		return abi.Errorf(abi.CodeNotFound, "%v", err)
	case errors.Is(err, identity.ErrInvalid):
		return abi.Errorf(abi.CodeInvalid, "%v", err)
	}
	return abi.Errorf(abi.CodeIO, "storage error: %v", err)
}

func wanted(links []config.Link) []identity.Wanted {
	out := make([]identity.Wanted, len(links))
	for i, l := range links {
		out[i] = identity.Wanted{Platform: l.Platform, PlatformUserID: l.PlatformUserID, AstridUser: l.AstridUser, Method: l.Method, Source: l.Origin.String()}
	}
	return out
}
