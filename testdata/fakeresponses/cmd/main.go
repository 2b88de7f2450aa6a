// Command fakeresponses serves package fakeresponses on a port of the loopback interface
// and prints its base address on the first line of its output.
//
//	go run ./testdata/fakeresponses/cmd -port 8401
package main

import (
	"net/http"

	"github.com/unicity-astrid/astrid-go/testdata/fakellm"
	"github.com/unicity-astrid/astrid-go/testdata/fakeresponses"
)

func main() {
	fakellm.Main(func(key string) http.Handler { return fakeresponses.New(fakeresponses.Options{APIKey: key}) })
}
