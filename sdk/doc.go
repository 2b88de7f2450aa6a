// Package sdk is how a capsule is written in Go.
//
// A capsule is a main package that registers handlers in init (or in package
// variables) and has an empty main, which is never run:
//
//	type args struct {
//		Name string `json:"name" desc:"whom to greet"`
//		Loud *bool  `json:"loud,omitempty" desc:"shout"`
//	}
//
//	func init() {
//		sdk.Tool("greet", "Greets somebody.", func(ctx *sdk.Context, a args) (string, error) {
//			greeting, err := fs.ReadFile("home://greeting.txt")
//			if errors.Is(err, fs.ErrNotExist) {
//				greeting, err = []byte("hello"), nil
//			}
//			if err != nil {
//				return "", err
//			}
//			ctx.Info("Greeting", "name", a.Name, "principal", ctx.Principal())
//			return string(greeting) + " " + a.Name, nil
//		})
//	}
//
//	func main() {}
//
// It is built with
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -ldflags="-s -w" -o greet.wasm .
//
// The subpackages are named after what they reach: fs, http, ipc, kv, env, hooks,
// process, net, uplink, identity, approval, runtime, time, log. Every call of the host
// returns an error that errors.Is compares with the sentinels of package abi; the
// message says what refused and why.
//
// Handlers run one at a time in an instance. A goroutine must not outlive the call
// that started it: the instance stands still between calls. Memory of an instance is
// 64 MiB, the program itself included.
//
// A small capsule is about 3.8 MB, of which 2.6 MB are the Go runtime and encoding/json.
// net/http, regexp and text/template each add more than a capsule should weigh.
//
// What fails is told, never swallowed: a tool that fails or panics publishes an error
// result, an [Interceptor] that does so denies its message (it may be a guard), an [On]
// handler logs it and lets the message go on, and a failed [OnInstall] undoes the
// installation.
//
// Built for the host's own platform, a capsule is plain Go: package sdktest gives its
// tests a fake host.
package sdk
