package sdk_test

import (
	"errors"
	"fmt"
	stdfs "io/fs"
	"testing"

	"github.com/unicity-astrid/astrid-go/sdk"
	"github.com/unicity-astrid/astrid-go/sdk/fs"
	"github.com/unicity-astrid/astrid-go/sdk/sdktest"
)

type greetArgs struct {
	Name string `json:"name" desc:"whom to greet"`
	Loud *bool  `json:"loud,omitempty" desc:"shout"`
}

// The capsule of the package documentation. In a capsule this is func init.
func registerGreet() {
	sdk.Tool("greet", "Greets somebody.", func(ctx *sdk.Context, a greetArgs) (string, error) {
		greeting, err := fs.ReadFile("home://greeting.txt")
		if errors.Is(err, stdfs.ErrNotExist) {
			greeting, err = []byte("hello"), nil
		}
		if err != nil {
			return "", err
		}
		ctx.Info("Greeting", "name", a.Name, "principal", ctx.Principal())
		return string(greeting) + " " + a.Name, nil
	})
}

func init() { registerGreet() }

func Example() {
	var t testing.TB = exampleTB{} // in a test: the *testing.T
	h := sdktest.New(t)
	h.WriteFile("home://greeting.txt", "moin")
	fmt.Println(h.CallTool("greet", map[string]any{"name": "Ida"}).Content)
	fmt.Println(h.CallTool("greet", map[string]any{"nmae": "Ida"}).Content)
	fmt.Println(h.Logs()[0].Message)
	// Output:
	// "moin Ida"
	// failed to parse tool arguments: argument "name" is missing
	// Greeting name=Ida principal=default
}

// exampleTB lets an Example use a fake host; its host stays installed.
type exampleTB struct{ testing.TB }

func (exampleTB) Helper()        {}
func (exampleTB) Name() string   { return "Example" }
func (exampleTB) Cleanup(func()) {}
