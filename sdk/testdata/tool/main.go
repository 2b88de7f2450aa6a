// A small guest for the tests of package sdk.
package main

import (
	"errors"
	"strings"

	"github.com/unicity-astrid/astrid-go/sdk"
	"github.com/unicity-astrid/astrid-go/sdk/fs"
	"github.com/unicity-astrid/astrid-go/sdk/kv"
)

type echoArgs struct {
	Text  string `json:"text" desc:"what to say"`
	Times *int   `json:"times,omitempty"`
}

func init() {
	sdk.Tool("echo", "says it again", func(_ *sdk.Context, a echoArgs) (string, error) { return a.Text, nil })
	sdk.Tool("fail", "fails", func(*sdk.Context, struct{}) (string, error) { return "", errors.New("no") })
	sdk.Tool("panic", "panics", func(*sdk.Context, struct{}) (string, error) { panic("oh") })
	sdk.Tool("read", "reads a file", func(_ *sdk.Context, a struct {
		Path string `json:"path"`
	}) (string, error) {
		b, err := fs.ReadFile(a.Path)
		return string(b), err
	})
	sdk.Tool("repeat", "says it often", func(_ *sdk.Context, a echoArgs) (string, error) {
		return strings.Repeat(a.Text, *a.Times), nil
	})
	sdk.Interceptor("hundred", func(*sdk.Context, []byte) (sdk.Verdict, error) {
		for range 100 {
			if _, err := kv.Get("key"); err != nil {
				return sdk.Verdict{}, err
			}
		}
		return sdk.Continue(), nil
	})
	sdk.Interceptor("nothing", func(*sdk.Context, []byte) (sdk.Verdict, error) { return sdk.Continue(), nil })
	sdk.Interceptor("rewrite", func(_ *sdk.Context, p []byte) (sdk.Verdict, error) { return sdk.Rewrite(p), nil })
	sdk.OnUpgrade(func(_ *sdk.Context, prev string) error { return kv.Set("before", []byte(prev)) })
	sdk.OnInstall(func(*sdk.Context) error { return errors.New("not here") })
}

func main() {}
