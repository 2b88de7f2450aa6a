package kernel

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/host"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/kernel/config"
	"github.com/unicity-astrid/astrid-go/kernel/identity"
	"github.com/unicity-astrid/astrid-go/kernel/storage"
)

// TestConfiguredLinksAreMade: a link of the configuration exists after boot, one that
// cannot be made stops nothing, and who connects is the user of this machine.
func TestConfiguredLinksAreMade(t *testing.T) {
	k := boot(t, func(o *Options) {
		file := filepath.Join(t.TempDir(), "config.toml")
		write(t, file, `
[[identity.links]]
platform = "telegram"
platform_user_id = "77"
astrid_user = "Ann"
method = "config"

[[identity.links]]
platform = "telegram"
platform_user_id = "78"
astrid_user = "6f1c0000-0000-4000-8000-000000000000"
method = "config"
`)
		c, err := config.Load(config.Options{UserFile: file})
		if err != nil {
			t.Fatal(err)
		}
		o.Config = c
	})
	scope, err := storage.Scoped(k.store, "system:identity", storage.Quota{})
	if err != nil {
		t.Fatal(err)
	}
	users := identity.New(scope, identity.Options{})
	if u, err := users.Resolve(t.Context(), "telegram", "77"); err != nil || u.Principal == "" || u.Principal == "default" {
		t.Errorf("the configured user is %+v, %v", u, err)
	}
	if _, err := users.Resolve(t.Context(), "telegram", "78"); err == nil {
		t.Error("a link to a user that does not exist was made")
	}
	if k.local.Principal != "default" {
		t.Errorf("the local user is %+v", k.local)
	}
	if c := connect(t, k).ack(`{"topic":"client.v1.subscribe","payload":{"topics":[]}}`); c != "" {
		t.Errorf("the local user's client is refused: %s", c)
	}
}

// TestUsersHaveHomes: what is done for a user, whoever made it, has a place for files, settings and logs.
func TestUsersHaveHomes(t *testing.T) {
	k := boot(t, func(o *Options) {
		file := filepath.Join(t.TempDir(), "config.toml")
		write(t, file, "[[identity.links]]\nplatform = \"telegram\"\nplatform_user_id = \"77\"\nastrid_user = \"Ann\"\nmethod = \"config\"\n")
		c, err := config.Load(config.Options{UserFile: file})
		if err != nil {
			t.Fatal(err)
		}
		o.Config = c
	})
	scope, err := storage.Scoped(k.store, "system:identity", storage.Quota{})
	if err != nil {
		t.Fatal(err)
	}
	ids := identities{users: identity.New(scope, identity.Options{}), home: k.opts.Home}
	ida, err := ids.CreateUser(t.Context(), "Ida")
	if err != nil {
		t.Fatal(err)
	}
	ann, err := ids.Resolve(t.Context(), "telegram", "77")
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range []host.User{ida, ann} {
		if _, err := k.files.Home(t.Context(), u.Principal); err != nil {
			t.Errorf("%s: %v", u.DisplayName, err)
		}
		if err := k.capsuleLog(u.Principal, "demo", 0, "hello"); err != nil {
			t.Errorf("log for %s: %v", u.DisplayName, err)
		}
		g, err := k.gate.Intercept(t.Context(), approval.Subject{Principal: u.Principal, Capsule: "demo", Bounds: permitAll{}},
			approval.Action{Kind: approval.Elicit, Function: "astrid_elicit", Resource: "elicit:k"})
		if err != nil {
			t.Errorf("gate for %s: %v", u.DisplayName, err)
			continue
		}
		if err := g.Settle(t.Context(), approval.Outcome{}); err != nil {
			t.Error(err)
		}
	}
	if _, err := ids.Link(t.Context(), "chat", "1", ida.ID, "code"); err != nil {
		t.Error(err)
	}
	for _, err := range []error{
		second(ids.Resolve(t.Context(), "chat", "2")),
		second(ids.Link(t.Context(), "chat", "1", "6f1c0000-0000-4000-8000-000000000000", "code")),
	} {
		if !errors.Is(err, abi.ErrNotFound) {
			t.Errorf("%v, want not found", err)
		}
	}
	if err := second(ids.Link(t.Context(), "chat", "1", ida.ID, "")); !errors.Is(err, abi.ErrInvalid) {
		t.Errorf("without a method: %v", err)
	}
	if links, err := ids.Links(t.Context(), ida.ID); err != nil || len(links) != 1 || links[0].Method != "code" {
		t.Errorf("links %+v, %v", links, err)
	}
}

func second[T any](_ T, err error) error { return err }
