package kernel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/unicity-astrid/astrid-go/audit"
	"github.com/unicity-astrid/astrid-go/capability"
	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/kernel/home"
	"github.com/unicity-astrid/astrid-go/kernel/storage"
)

// honourConsent turns what the user agreed to at install time into capability tokens. It
// does so once for each consent and resource, so that a token that was revoked stays so.
// What the manifest does not ask for any more is not granted.
func (k *Kernel) honourConsent(ctx context.Context, p home.Principal, m *capsule.Manifest, env map[string]string) error {
	c, err := capsule.LoadConsent(capsule.ConsentPath(p.Root(), m.ID()))
	if err != nil || c == nil {
		return err
	}
	wanted, err := capsule.ConsentResources(m, env)
	if err != nil {
		return err
	}
	for _, resource := range c.Resources {
		if !slices.Contains(wanted, resource) {
			continue
		}
		pattern, ok := capsule.ConsentPattern(resource, p.Root())
		if !ok {
			continue // it will be asked
		}
		if err := k.mintConsent(ctx, p.Name(), m.ID(), c, pattern); err != nil {
			return fmt.Errorf("consent to %s: %w", resource, err)
		}
	}
	return nil
}

func (k *Kernel) mintConsent(ctx context.Context, principal, id string, c *capsule.Consent, resource string) error {
	key := "kernel/consent/" + principal + "/" + id + "/" + c.ID + "/" + resource
	if _, err := k.store.Get(ctx, key); !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	data, err := json.Marshal(map[string]string{"consent": c.ID, "granted_at": c.GrantedAt.UTC().Format("2006-01-02T15:04:05Z")})
	if err != nil {
		return err
	}
	// The record of the decision comes before the token that rests on it.
	e, err := k.gate.log.Append(ctx, principal, audit.Draft{
		Kind: audit.KindEvent, Type: "capability.consent", Capsule: id, Resource: resource, Data: data,
	})
	if err != nil {
		return err
	}
	token, err := k.gate.tokens.Mint(ctx, capability.Request{Principal: principal, Capsule: id, Resource: resource, AuditID: uuid.UUID(e.ID)})
	if err != nil {
		return err
	}
	return k.store.Put(ctx, key, []byte(token.ID.String()))
}
