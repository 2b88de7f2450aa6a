package storage

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Opener opens an engine. rest is the specification without its scheme and colon.
type Opener func(ctx context.Context, rest string) (Engine, error)

var (
	openersMu sync.RWMutex
	openers   = map[string]Opener{}
)

// Register makes an engine known to Open under a scheme. It is meant for init functions and panics if the scheme is taken.
func Register(scheme string, open Opener) {
	openersMu.Lock()
	defer openersMu.Unlock()
	if _, taken := openers[scheme]; taken {
		panic("storage: scheme registered twice: " + scheme)
	}
	openers[scheme] = open
}

// Open opens the engine that spec names, for example "mem:" or "bolt:/var/lib/astrid/state.db".
func Open(ctx context.Context, spec string) (Engine, error) {
	scheme, rest, ok := strings.Cut(spec, ":")
	if !ok {
		return nil, fmt.Errorf("storage: %q names no engine: write it as scheme:rest, for example \"bolt:%s\" (known: %s)",
			spec, spec, strings.Join(Schemes(), ", "))
	}
	openersMu.RLock()
	open := openers[scheme]
	openersMu.RUnlock()
	if open == nil {
		return nil, fmt.Errorf("storage: unknown engine %q in %q (known: %s)", scheme, spec, strings.Join(Schemes(), ", "))
	}
	return open(ctx, rest)
}

// Schemes returns the registered schemes, sorted.
func Schemes() []string {
	openersMu.RLock()
	defer openersMu.RUnlock()
	names := make([]string, 0, len(openers))
	for name := range openers {
		names = append(names, name+":")
	}
	slices.Sort(names)
	return names
}

func init() {
	Register("mem", openMem)
	Register("bolt", openBolt)
}
