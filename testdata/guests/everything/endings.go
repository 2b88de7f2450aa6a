package main

import (
	"errors"
	"os"

	"github.com/unicity-astrid/astrid-go/sdk"
)

// sink keeps the compiler from dropping work that has no other use.
var sink [][]byte

func init() {
	for action, fn := range map[string]func(payload []byte) (sdk.Verdict, error){
		"echo":  func(p []byte) (sdk.Verdict, error) { return sdk.Reply(p), nil },
		"final": func(p []byte) (sdk.Verdict, error) { return sdk.Final(p), nil },
		"deny":  func(p []byte) (sdk.Verdict, error) { return sdk.Deny(string(p)), nil },
		"empty": func([]byte) (sdk.Verdict, error) { return sdk.Continue(), nil },
		"fail":  func(p []byte) (sdk.Verdict, error) { return sdk.Verdict{}, errors.New(string(p)) },
		"panic": func(p []byte) (sdk.Verdict, error) { panic(string(p)) },
		"spin": func([]byte) (sdk.Verdict, error) {
			for {
			}
		},
		"grow": func([]byte) (sdk.Verdict, error) {
			for {
				sink = append(sink, make([]byte, 1<<20))
			}
		},
		"exit":    func([]byte) (sdk.Verdict, error) { os.Exit(3); return sdk.Verdict{}, nil },
		"recurse": func([]byte) (sdk.Verdict, error) { return sdk.Reply(recurse(1)), nil },
	} {
		sdk.Interceptor(action, func(_ *sdk.Context, payload []byte) (sdk.Verdict, error) { return fn(payload) })
	}
	// Lifecycle handlers leave a trace in the log.
	sdk.OnInstall(func(ctx *sdk.Context) error {
		ctx.Info("Installed")
		return nil
	})
	sdk.OnUpgrade(func(ctx *sdk.Context, prevVersion string) error {
		ctx.Info("Upgraded", "from", prevVersion)
		return nil
	})
}

// recurse has no end: each level needs the one below.
func recurse(n int) int { return recurse(n+1) + n }
