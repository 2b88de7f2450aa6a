// A guest with a run loop, for the tests of package sdk.
package main

import (
	"github.com/unicity-astrid/astrid-go/sdk"
	"github.com/unicity-astrid/astrid-go/sdk/runloop"
)

func init() {
	sdk.On("on_a", func(ctx *sdk.Context, p struct{ N int }) error {
		ctx.Info("Got", "n", p.N, "principal", ctx.Principal(), "session", ctx.Session())
		return nil
	})
	runloop.Run(runloop.Serve)
}

func main() {}
