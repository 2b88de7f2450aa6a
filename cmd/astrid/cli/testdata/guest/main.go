// Guest of the tests of capsule commands. Manifests of many capsules are packed with it:
// what differs between them is what they say.
package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/unicity-astrid/astrid-go/sdk"
	"github.com/unicity-astrid/astrid-go/sdk/env"
	"github.com/unicity-astrid/astrid-go/sdk/hooks"
	"github.com/unicity-astrid/astrid-go/sdk/http"
	"github.com/unicity-astrid/astrid-go/sdk/identity"
	"github.com/unicity-astrid/astrid-go/sdk/ipc"
	"github.com/unicity-astrid/astrid-go/sdk/kv"
	"github.com/unicity-astrid/astrid-go/sdk/process"
	"github.com/unicity-astrid/astrid-go/sdk/runtime"
)

var (
	_ = sdk.Tool("demo", "Says what it was set to.", func(*sdk.Context, struct{}) (string, error) { return env.Get("greeting"), nil })

	_ = sdk.Tool("around", "Asks everybody around it once.", around)

	_ = sdk.OnInstall(func(ctx *sdk.Context) error {
		if env.Get("fail") == "install" {
			return errors.New("cannot be installed here")
		}
		if env.Get("ask") == "yes" {
			if err := ask(ctx); err != nil {
				return err
			}
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

// around asks the network, a program, another capsule, a hook and the users, and says what it got.
func around(*sdk.Context, struct{}) (string, error) {
	answer, err := http.Post("https://api.example.org/v1/items?q=1", "application/json", []byte(`{"n": 1}`))
	if err != nil {
		return "", err
	}
	program, err := process.Run("git", "status")
	if err != nil {
		return "", err
	}
	m, err := ipc.Request("other.v1.request", map[string]string{"request_id": "r1"}, "other.v1.response.r1", time.Second)
	if err != nil {
		return "", err
	}
	said, err := ipc.Decode[struct{ Text string }](m)
	if err != nil {
		return "", err
	}
	hooked, err := hooks.Collect[string]("demo.v1.hook", nil)
	if err != nil {
		return "", err
	}
	user, ok, err := identity.Resolve("chat", "7")
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d %s, %d %s, %s, %s, %s %v", answer.Status, answer.Body, program.ExitCode, strings.TrimSpace(program.Stdout), said.Text, strings.Join(hooked, "+"), user.DisplayName, ok), nil
}

// ask asks for one setting of each kind and says in the log what it got.
func ask(ctx *sdk.Context) error {
	name, err := runtime.ElicitText("name", "Your name", "")
	if err != nil {
		return err
	}
	if err := runtime.ElicitSecret("token", "The token"); err != nil {
		return err
	}
	size, err := runtime.ElicitSelect("size", "How large", []string{"small", "large"})
	if err != nil {
		return err
	}
	tags, err := runtime.ElicitArray("tags", "Tags")
	if err != nil {
		return err
	}
	ctx.Info("Answered", "name", name, "size", size, "tags", strings.Join(tags, "+"))
	return nil
}

func main() {}
