// Guest of the tests of capsule commands. Manifests of many capsules are packed with it:
// what differs between them is what they say.
package main

import (
	"errors"
	"strconv"

	"github.com/unicity-astrid/astrid-go/sdk"
	"github.com/unicity-astrid/astrid-go/sdk/env"
	"github.com/unicity-astrid/astrid-go/sdk/kv"
)

var (
	_ = sdk.Tool("demo", "Says what it was set to.", func(*sdk.Context, struct{}) (string, error) { return env.Get("greeting"), nil })

	_ = sdk.OnInstall(func(ctx *sdk.Context) error {
		if env.Get("fail") == "install" {
			return errors.New("cannot be installed here")
		}
		count, err := kv.Get("count")
		if err != nil {
			return err
		}
		n, _ := strconv.Atoi(string(count)) // nothing yet is 0
		ctx.Info("install hook", "before", n)
		return kv.Set("count", []byte(strconv.Itoa(n+1)))
	})
	_ = sdk.OnUpgrade(func(ctx *sdk.Context, previous string) error {
		ctx.Info("upgrade hook", "from", previous)
		return nil
	})
)

func main() {}
