package kernel

import (
	"context"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"

	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/capsule/watch"
	"github.com/unicity-astrid/astrid-go/kernel/home"
)

// watchInstalled loads again when what is installed has changed and nobody has said so: a
// capsule, its settings, whether it is switched on. A reload that finds nothing different
// does nothing, so it does not matter that commands ask for one themselves.
func (k *Kernel) watchInstalled(ctx context.Context) {
	p, err := k.opts.Home.Principal(home.DefaultPrincipal)
	if err != nil {
		slog.Error("Installed capsules are not watched", "error", err)
		return
	}
	config := filepath.Join(p.Root(), ".config")
	o := watch.Options{Roots: []string{p.CapsulesDir(), config}, Depth: 1}
	err = watch.Watch(ctx, o, func(ctx context.Context) {
		if k.installed() == k.seenInstalled() {
			return
		}
		slog.Info("Installed capsules or their settings have changed")
		if err := k.loadAll(ctx); err != nil && ctx.Err() == nil {
			slog.Error("The change was not taken", "error", err)
		}
	})
	if err != nil {
		slog.Warn("Changes of installed capsules are taken only when a command says so", "error", err)
	}
}

// installed is a hash of everything that loadAll looks at. What cannot be read is left to it.
func (k *Kernel) installed() string {
	p, err := k.opts.Home.Principal(home.DefaultPrincipal)
	if err != nil {
		return ""
	}
	all := []byte("capsules\n")
	for _, m := range capsule.Discover(p.CapsulesDir()).Manifests {
		all = append(all, m.ID()+" "+k.fingerprint(m)+"\n"...)
	}
	disabled, err := capsuleState(p).Disabled()
	if err != nil {
		return ""
	}
	for _, name := range slices.Sorted(maps.Keys(disabled)) {
		all = append(all, "disabled "+name+"\n"...)
	}
	return capsule.Hash(all)
}

func (k *Kernel) seenInstalled() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.seen
}
