package kernel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/kernel/home"
	"github.com/unicity-astrid/astrid-go/kernel/storage"
)

// lifecycleRecord says for which installation a capsule's hook has run.
type lifecycleRecord struct {
	Version     string    `json:"version"`
	InstalledAt time.Time `json:"installed_at"` // of the first version; a new one follows a removal
}

func lifecycleKey(principal, id string) string { return "kernel/lifecycle/" + principal + "/" + id }

// runLifecycle runs the install or upgrade hook of a capsule that is about to take
// messages: once for each installed version. The record follows the hook, so a hook that
// a crash interrupts runs again. The hook has the capsule's own rights and passes the
// gate like any call of it.
func (k *Kernel) runLifecycle(ctx context.Context, c *capsule.Capsule) error {
	meta, err := capsule.LoadMeta(c.Manifest().Dir)
	if err != nil {
		return err
	}
	now := lifecycleRecord{meta.Version, meta.InstalledAt}
	key := lifecycleKey(home.DefaultPrincipal, c.ID())
	var before lifecycleRecord
	raw, err := k.store.Get(ctx, key)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	if err == nil {
		if err := json.Unmarshal(raw, &before); err != nil {
			return fmt.Errorf("record of its hooks: %w", err)
		}
	}
	in := &capsule.Invocation{Principal: home.DefaultPrincipal}
	switch {
	case !before.InstalledAt.Equal(now.InstalledAt):
		in.Export = abi.ExportInstall
	case before.Version != now.Version:
		in.Export = abi.ExportUpgrade
		if in.Payload, err = json.Marshal(map[string]string{"prev_version": before.Version}); err != nil {
			return err
		}
	default:
		return nil
	}
	if err := k.callLifecycle(ctx, c, in); err != nil {
		// A guest that fails traps: what it said about it is in its log, not in the trap's stack.
		reason, _, _ := strings.Cut(err.Error(), "\n")
		if said, ok := k.complaints.Load(c.ID()); ok {
			reason = said.(string)
		}
		return fmt.Errorf("its hook %s failed (see `astrid capsule logs %s`): %s", in.Export, c.ID(), reason)
	}
	if raw, err = json.Marshal(now); err != nil {
		return err
	}
	return k.store.Put(ctx, key, raw)
}

// callLifecycle runs one export in an instance of its own.
func (k *Kernel) callLifecycle(ctx context.Context, c *capsule.Capsule, in *capsule.Invocation) error {
	e := engineOf(c)
	if !e.Exports(in.Export) {
		return nil // it has nothing to do, so it need not be started for it either
	}
	inst, err := e.Instantiate(ctx)
	if err != nil {
		return err
	}
	k.complaints.Delete(c.ID())
	_, err = inst.Call(ctx, in)
	if cerr := inst.Close(ctx); cerr != nil {
		slog.Warn("The instance of a hook did not end in order", "capsule", c.ID(), "error", cerr)
	}
	return err
}
