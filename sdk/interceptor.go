package sdk

import (
	"fmt"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/internal/entry"
	"github.com/unicity-astrid/astrid-go/sdk/internal/wire"
	"github.com/unicity-astrid/astrid-go/sdk/log"
)

// Registration is returned by the functions that register something, so that they can
// be called from a package variable as well as from init.
type Registration struct{}

// handler answers one action with the output of the export.
type handler func(ctx *Context, payload []byte) Verdict

var handlers = map[string]handler{}

// mistakes are registrations that cannot work. They are told when the capsule is tested
// or when the action is called, not by a panic while the module is being loaded.
var mistakes []error

func register(action string, h handler) Registration {
	if action == "" {
		mistakes = append(mistakes, fmt.Errorf("an action must have a name"))
	} else if _, twice := handlers[action]; twice {
		mistakes = append(mistakes, fmt.Errorf("action %q is registered twice", action))
	}
	handlers[action] = h
	return Registration{}
}

// Interceptor registers fn for an action of the manifest's [[interceptor]] tables. The
// payload is the raw JSON of the message (for tagged messages the tagged object, for
// others the value alone); fn may keep it.
//
// An error, or a panic, is logged and denies the message: an interceptor can be a guard,
// and a guard that fails must not let things through.
func Interceptor(action string, fn func(ctx *Context, payload []byte) (Verdict, error)) Registration {
	return register(action, func(ctx *Context, payload []byte) (v Verdict) {
		defer func() {
			if r := recover(); r != nil {
				v = failed(ctx, fmt.Errorf("panic: %v", r))
			}
		}()
		v, err := fn(ctx, payload)
		if err == nil {
			err = v.err
		}
		if err != nil {
			return failed(ctx, err)
		}
		return v
	})
}

func failed(ctx *Context, err error) Verdict {
	log.Error("Interceptor failed", "action", ctx.action, "error", err)
	return Deny(ctx.action + ": " + err.Error())
}

// On registers fn for an action and decodes the payload into P first; an empty payload
// is the zero P. An observer has no say: the message goes on whatever happens, and an
// error or a panic is logged. Use [Interceptor] for guards and for hooks that answer.
func On[P any](action string, fn func(ctx *Context, p P) error) Registration {
	return register(action, func(ctx *Context, payload []byte) (v Verdict) {
		if err := observe(ctx, payload, fn); err != nil {
			log.Error("Handler failed", "action", ctx.action, "error", err)
		}
		return Continue()
	})
}

func observe[P any](ctx *Context, payload []byte, fn func(*Context, P) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	var p P
	if len(payload) > 0 {
		if err := wire.Unmarshal(payload, &p); err != nil {
			return fmt.Errorf("payload: %w", err)
		}
	}
	return fn(ctx, p)
}

func init() {
	entry.Hook = func(action string, payload []byte, from *abi.Caller) []byte {
		h, ok := handlers[action]
		if !ok {
			log.Error("No handler for the action: the manifest names it but the capsule does not register it", "action", action)
			return Deny("no handler for action " + action).encode()
		}
		return h(&Context{action: action, caller: from}, payload).encode()
	}
	entry.Check = check
}
