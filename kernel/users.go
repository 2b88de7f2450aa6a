package kernel

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/unicity-astrid/astrid-go/kernel/config"
	"github.com/unicity-astrid/astrid-go/kernel/identity"
	"github.com/unicity-astrid/astrid-go/kernel/storage"
)

// localUser opens the store of users and makes what must be there: the user of this
// machine, who is returned, and the links of the configuration. A link that cannot be
// made is told and does not keep the daemon from starting.
func localUser(ctx context.Context, store storage.Engine, o Options) (identity.User, error) {
	scope, err := storage.Scoped(store, "system:identity", storage.Quota{})
	if err != nil {
		return identity.User{}, err
	}
	users := identity.New(scope, identity.Options{Now: o.Now})
	root, err := users.EnsureRoot(ctx)
	if err != nil {
		return identity.User{}, fmt.Errorf("users: %w", err)
	}
	for _, err := range users.Apply(ctx, wanted(o.Config.Identity.Links)) {
		slog.Warn("A link of the configuration could not be made", "error", err)
	}
	return root, nil
}

func wanted(links []config.Link) []identity.Wanted {
	out := make([]identity.Wanted, len(links))
	for i, l := range links {
		out[i] = identity.Wanted{Platform: l.Platform, PlatformUserID: l.PlatformUserID, AstridUser: l.AstridUser, Method: l.Method, Source: l.Origin.String()}
	}
	return out
}
