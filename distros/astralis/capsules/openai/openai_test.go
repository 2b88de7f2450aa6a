package main

import (
	"testing"

	"github.com/unicity-astrid/astrid-go/distros/astralis/provider/providertest"
	"github.com/unicity-astrid/astrid-go/testdata/fakeresponses"
)

type server struct{ *fakeresponses.Server }

func (s server) Seen() []providertest.Seen {
	var out []providertest.Seen
	for _, r := range s.Requests() {
		out = append(out, providertest.Seen{Header: r.Header, Body: string(r.Raw), Fault: r.Fault})
	}
	return out
}

var vendor = providertest.Vendor{
	ID: "openai", KeyHeader: "Authorization",
	Server: func(key string) providertest.Server {
		return server{fakeresponses.New(fakeresponses.Options{APIKey: key})}
	},
}

// What all providers do, against what servers do on good and on bad days.
func TestProvider(t *testing.T) { providertest.Run(t, vendor) }
