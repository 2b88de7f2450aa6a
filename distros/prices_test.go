package distros_test

import (
	"strings"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/capsule/distro"
	"github.com/unicity-astrid/astrid-go/distros/astralis/provider"
)

// The tables of models can be read, say from when they are, and know the models that are
// used by default; what they do not know is priced like the dearest.
func TestPriceTables(t *testing.T) {
	m, err := distro.Load("astralis/Distro.toml")
	if err != nil {
		t.Fatal(err)
	}
	for _, vendor := range []string{"anthropic", "openai"} {
		v := m.Variables[vendor+"_models"]
		if !v.Quiet {
			t.Errorf("%s: a person would be asked for a table", vendor)
		}
		table, err := provider.ParseTable(v.Default)
		if err != nil {
			t.Fatal(err)
		}
		other := table.Find("a model of next year")
		if other.Prices == nil {
			t.Fatalf("%s: there is no line for other models", vendor)
		}
		for _, x := range table.Models() {
			p := x.Prices
			if _, err := time.Parse(time.DateOnly, p.AsOf); err != nil {
				t.Errorf("%s: date %q", x.ID, p.AsOf)
			}
			if p.In <= 0 || p.Out < p.In || p.Read > p.In || p.Write < p.In || x.Window < x.Output || x.Output == 0 {
				t.Errorf("%s: %+v %+v", x.ID, x, *p)
			}
			if p.Out > other.Prices.Out || p.In > other.Prices.In {
				t.Errorf("%s is dearer than the line for other models", x.ID)
			}
			if l := p.Long; l != nil && (l.In <= p.In || l.Out <= p.Out || p.From == 0) {
				t.Errorf("%s: long prompts cost no more: %+v", x.ID, *l)
			}
		}
		model := m.Variables[vendor+"_model"].Default
		if found := table.Find(model); found.Window == 0 {
			t.Errorf("the default model %s is not in the table", model)
		}
	}
	if !strings.Contains(m.Variables["openai_models"].Default, "gpt-5.4 ") {
		t.Error("the table has lost its lines")
	}
}
