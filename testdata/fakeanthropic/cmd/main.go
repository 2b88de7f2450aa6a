// Command fakeanthropic serves package fakeanthropic on a port of the loopback interface
// and prints its base address on the first line of its output.
//
//	go run ./testdata/fakeanthropic/cmd -port 8400
package main

import (
	"net/http"

	"github.com/unicity-astrid/astrid-go/testdata/fakeanthropic"
	"github.com/unicity-astrid/astrid-go/testdata/fakellm"
)

func main() {
	fakellm.Main(func(key string) http.Handler { return fakeanthropic.New(fakeanthropic.Options{APIKey: key}) })
}
