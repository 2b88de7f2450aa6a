// Command fakeopenai serves package fakeopenai on a port of the loopback interface and
// prints its base address on the first line of its output.
//
//	go run ./testdata/fakeopenai/cmd -port 8399
package main

import (
	"net/http"

	"github.com/unicity-astrid/astrid-go/testdata/fakellm"
	"github.com/unicity-astrid/astrid-go/testdata/fakeopenai"
)

func main() {
	fakellm.Main(func(key string) http.Handler { return fakeopenai.New(fakeopenai.Options{APIKey: key}) })
}
