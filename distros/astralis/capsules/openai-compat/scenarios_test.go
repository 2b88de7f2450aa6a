package main

import (
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/distros/astralis/provider/providertest"
	"github.com/unicity-astrid/astrid-go/testdata/fakeopenai"
)

type server struct{ *fakeopenai.Server }

func (s server) Seen() []providertest.Seen {
	var out []providertest.Seen
	for _, r := range s.Requests() {
		out = append(out, providertest.Seen{Header: r.Header, Body: string(r.Raw), Fault: r.Fault})
	}
	return out
}

var vendor = providertest.Vendor{
	ID: "openai-compat", KeyHeader: "Authorization", Without: []string{"redacted"},
	Server: func(key string) providertest.Server { return server{fakeopenai.New(fakeopenai.Options{APIKey: key})} },
}

// What all providers do, against what servers do on good and on bad days.
func TestProvider(t *testing.T) { providertest.Run(t, vendor) }

func TestUsage(t *testing.T) {
	s := fakeopenai.New(fakeopenai.Options{})
	g := providertest.New(t, vendor.ID, s)
	o := g.Ask(providertest.Prompt("one two three"))
	r := s.Requests()[0]
	want := fakeopenai.UsageOf(&r, &fakeopenai.Answer{Text: fakeopenai.Echo("one two three")})
	if o.Usage == nil || *o.Usage != (abi.Usage{InputTokens: uint64(want.PromptTokens), OutputTokens: uint64(want.CompletionTokens)}) {
		t.Errorf("%+v, want %+v", o.Usage, want)
	}
	g.Config["model"] = "nousage"
	if o := g.Ask(providertest.Prompt("x")); o.Usage != nil || !o.Done {
		t.Errorf("%+v", o)
	}
}

func TestNoKey(t *testing.T) {
	s := fakeopenai.New(fakeopenai.Options{})
	g := providertest.New(t, vendor.ID, s)
	if o := g.Ask(providertest.Prompt("hi")); !o.Done {
		t.Errorf("%+v", o)
	}
	if h := s.Requests()[0].Header; h.Get("Authorization") != "" {
		t.Errorf("authorization %q without a key", h.Get("Authorization"))
	}
}

// TestModelsOfAServer: the table has the models of one vendor. What another server has, it says itself.
func TestModelsOfAServer(t *testing.T) {
	g := providertest.New(t, vendor.ID, fakeopenai.New(fakeopenai.Options{}))
	g.Config["model"], g.Config["models"] = "mine", "gpt-1 1000 100 1 2 0 0\ngpt-2 1000 100 1 2 0 0"
	models := func() (names []string) {
		var d abi.ProvidersDescription
		if err := g.Call("llm_describe", struct{}{}).JSON(&d); err != nil {
			t.Fatal(err)
		}
		for _, p := range d.Providers {
			names = append(names, p.Model)
		}
		return names
	}
	if got := models(); len(got) != 1 || got[0] != "mine" {
		t.Errorf("before the server was asked: %q", got)
	}
	g.Call("handle_refresh_models", abi.RefreshModels{CorrelationID: "c"})
	if got := models(); len(got) < 2 || got[0] != "mine" || strings.Contains(strings.Join(got, " "), "gpt-1") {
		t.Errorf("after the server was asked: %q", got)
	}
	for _, base := range []string{"https://api.openai.com", "https://api.openai.com/v1/"} {
		g.Config["base_url"] = base
		if got := strings.Join(models(), " "); got != "mine gpt-1 gpt-2" {
			t.Errorf("at %s: %q", base, got)
		}
	}
}

func TestRefusal(t *testing.T) {
	g := providertest.New(t, vendor.ID, fakeopenai.New(fakeopenai.Options{}))
	g.Config["model"] = "refusal"
	if o := g.Ask(providertest.Prompt("hi")); !o.Done || o.Reason != abi.ReasonRefusal || !strings.Contains(o.Text, "can't help") {
		t.Errorf("%+v", o)
	}
}
