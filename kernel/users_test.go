package kernel

import (
	"path/filepath"
	"testing"

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
