package kernel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/unicity-astrid/astrid-go/capability"
	"github.com/unicity-astrid/astrid-go/capsule"
	capstore "github.com/unicity-astrid/astrid-go/capsule/store"
	"github.com/unicity-astrid/astrid-go/kernel/home"
	"github.com/unicity-astrid/astrid-go/kernel/storage"
)

// drainTimeout is how long a capsule that goes may take to end what it has begun.
const drainTimeout = 10 * time.Second

// capsuleState is where the user's wishes about a principal's capsules are.
func capsuleState(p home.Principal) capstore.State {
	return capstore.State{Dir: filepath.Join(p.Root(), capstore.StateDir)}
}

// switchedOff takes the capsules out that the user has disabled.
func switchedOff(p home.Principal, found []*capsule.Manifest) (on []*capsule.Manifest, off []refusal, err error) {
	disabled, err := capsuleState(p).Disabled()
	if err != nil {
		return nil, nil, err
	}
	for _, m := range found {
		if !disabled[m.ID()] {
			on = append(on, m)
			continue
		}
		off = append(off, refusal{name: m.ID(), version: m.Package.Version.String(), dir: m.Dir, state: "disabled",
			reason: "switched off; `astrid capsule enable " + m.ID() + "` turns it on"})
	}
	return on, off, nil
}

// unloadOthers stops the loaded capsules that the plan does not have: removed, disabled,
// or left without a provider. One whose directory cannot be read at the moment stays.
func (k *Kernel) unloadOthers(ctx context.Context, plan *capsule.Plan, problems []capsule.Problem) {
	keep := make(map[string]bool)
	for _, m := range plan.Order {
		keep[m.Dir] = true
	}
	for _, p := range problems {
		keep[p.Dir] = true
	}
	for _, c := range k.registry.List() {
		if !keep[c.Manifest().Dir] {
			k.unload(ctx, c.ID())
		}
	}
}

// unload takes a capsule out of the registry and lets it finish what it has accepted.
func (k *Kernel) unload(ctx context.Context, id string) {
	c := k.registry.Remove(id)
	if c == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	if err := c.Stop(ctx); err != nil {
		slog.Warn("A capsule did not end in order", "capsule", id, "error", err)
	}
	k.mu.Lock()
	delete(k.loaded, id)
	k.mu.Unlock()
	slog.Info("Capsule unloaded", "capsule", id)
}

// settleRemovals takes back what removed capsules were granted, before a new capsule of
// that name could be loaded. What fails is tried again at the next load.
func (k *Kernel) settleRemovals(ctx context.Context, p home.Principal, st capstore.Store) error {
	state := capsuleState(p)
	removals, err := state.Removals()
	if err != nil {
		return err
	}
	for _, r := range removals {
		installed, err := st.Get(r.Name)
		if err != nil && !errors.Is(err, capstore.ErrNotInstalled) {
			return err
		}
		// The capsule is still there: the removal is under way, or was interrupted and has not
		// happened. The record stays, for it means nothing until the capsule goes.
		if err == nil && r.Of(installed) {
			continue
		}
		if err := k.forgetCapsule(ctx, r); err != nil {
			return fmt.Errorf("removed capsule %s: %w", r.Name, err)
		}
		if err := state.DropRemoval(r.Name); err != nil {
			return err
		}
	}
	return nil
}

// forgetCapsule stops a removed capsule and ends its grants, for every principal.
func (k *Kernel) forgetCapsule(ctx context.Context, r capstore.Removal) error {
	k.unload(ctx, r.Name)
	principals, err := os.ReadDir(k.opts.Home.PrincipalsDir())
	if err != nil {
		return err
	}
	for _, e := range principals {
		p, err := k.opts.Home.Principal(e.Name())
		if err != nil || !e.IsDir() {
			continue // nobody's home
		}
		if err := k.forgetFor(ctx, p.Name(), r); err != nil {
			return fmt.Errorf("principal %s: %w", p.Name(), err)
		}
	}
	return nil
}

func (k *Kernel) forgetFor(ctx context.Context, principal string, r capstore.Removal) error {
	grants, err := k.grants(ctx, principal)
	if err != nil {
		return err
	}
	for _, g := range grants {
		if g.Capsule != r.Name || g.Status != string(capability.Active) {
			continue
		}
		if err := k.revoke(ctx, principal, g, "the capsule was removed"); err != nil {
			return err
		}
	}
	keys, err := k.store.List(ctx, consentPrefix(principal, r.Name))
	if err != nil {
		return err
	}
	for _, key := range append(keys, lifecycleKey(principal, r.Name)) {
		if err := k.store.Delete(ctx, key); err != nil && !errors.Is(err, storage.ErrNotFound) {
			return err
		}
	}
	if !r.Purge {
		return nil
	}
	_, err = k.spaces.get(principal, r.Name).ClearPrefix(ctx, "")
	return errors.Join(err, k.secrets.DeleteAll(principal, r.Name))
}
