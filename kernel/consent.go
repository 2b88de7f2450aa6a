package kernel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/unicity-astrid/astrid-go/audit"
	"github.com/unicity-astrid/astrid-go/capability"
	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/kernel/home"
	"github.com/unicity-astrid/astrid-go/kernel/storage"
)

// honourConsent turns what the user agreed to at install time into capability tokens. It
// does so once for each consent and resource, so that a token that was revoked stays so.
// What the manifest does not ask for any more is not granted, and what an earlier consent
// granted goes on under this one or ends.
func (k *Kernel) honourConsent(ctx context.Context, p home.Principal, m *capsule.Manifest, env map[string]string) error {
	c, err := capsule.LoadConsent(capsule.ConsentPath(p.Root(), m.ID()))
	if err != nil {
		return err
	}
	earlier, err := k.earlierConsents(ctx, p.Name(), m.ID(), c)
	if err != nil {
		return err
	}
	if c != nil {
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
			if err := k.mintConsent(ctx, p.Name(), m.ID(), c, pattern, earlier); err != nil {
				return fmt.Errorf("consent to %s: %w", resource, err)
			}
		}
	}
	return k.endConsents(ctx, p.Name(), earlier)
}

// consentPrefix is where the token of each consent and resource is recorded.
func consentPrefix(principal, id string) string {
	return "kernel/consent/" + principal + "/" + id + "/"
}

// consentToken is the token that was made for an earlier consent.
type consentToken struct {
	key  string // of its record
	info capability.Info
	kept bool // the consent of now has it
}

// earlierConsents lists what consents other than c have made, by pattern. There is none
// unless the user agreed anew.
func (k *Kernel) earlierConsents(ctx context.Context, principal, id string, c *capsule.Consent) (map[string][]*consentToken, error) {
	prefix := consentPrefix(principal, id)
	keys, err := k.store.List(ctx, prefix)
	if err != nil {
		return nil, err
	}
	out := make(map[string][]*consentToken)
	current := make(map[string]bool) // ids of tokens that the consent of now has already
	for _, key := range keys {
		of, pattern, _ := strings.Cut(strings.TrimPrefix(key, prefix), "/")
		text, err := k.store.Get(ctx, key)
		if err != nil {
			return nil, err
		}
		if c != nil && of == c.ID {
			current[string(text)] = true
			continue
		}
		t := &consentToken{key: key}
		if token, err := uuid.ParseBytes(text); err == nil {
			t.info, err = k.gate.tokens.Show(ctx, principal, token)
			if err != nil && !errors.Is(err, capability.ErrNotFound) {
				return nil, err
			}
		}
		out[pattern] = append(out[pattern], t)
	}
	for _, list := range out {
		for _, t := range list {
			t.kept = current[t.info.Token.ID.String()]
		}
	}
	return out, nil
}

// endConsents revokes what earlier consents granted and the one of now does not.
func (k *Kernel) endConsents(ctx context.Context, principal string, earlier map[string][]*consentToken) error {
	for _, list := range earlier {
		for _, t := range list {
			if t.info.Status == capability.Active && !t.kept {
				if err := k.revoke(ctx, principal, tokenInfo(t.info), "what was agreed to has changed"); err != nil {
					return err
				}
			}
			if err := k.store.Delete(ctx, t.key); err != nil && !errors.Is(err, storage.ErrNotFound) {
				return err
			}
		}
	}
	return nil
}

// mintConsent makes the token for a resource, or takes over the one that an earlier consent has made.
func (k *Kernel) mintConsent(ctx context.Context, principal, id string, c *capsule.Consent, resource string, earlier map[string][]*consentToken) error {
	key := consentPrefix(principal, id) + c.ID + "/" + resource
	if _, err := k.store.Get(ctx, key); !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	for _, t := range earlier[resource] {
		if t.info.Status == capability.Active {
			t.kept = true
			return k.store.Put(ctx, key, []byte(t.info.Token.ID.String()))
		}
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
