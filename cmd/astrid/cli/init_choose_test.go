package cli

import (
	"bufio"
	"io/fs"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/capsule/distro"
	"github.com/unicity-astrid/astrid-go/capsule/store"
	"github.com/unicity-astrid/astrid-go/distros"
)

// TestQuietVariablesAreNotAsked: nobody types a table of models at a prompt; --set takes one all the same.
func TestQuietVariablesAreNotAsked(t *testing.T) {
	files, err := distros.Open(distros.Default)
	if err != nil {
		t.Fatal(err)
	}
	text, err := fs.ReadFile(files, distro.ManifestName)
	if err != nil {
		t.Fatal(err)
	}
	m, err := distro.Parse(distro.ManifestName, text)
	if err != nil {
		t.Fatal(err)
	}
	sys, _, asked := system("\n\n\n", true)
	o := &initOptions{sys: sys, in: bufio.NewReader(sys.Stdin), provider: []string{"openai-compat"}}
	if _, err := o.answers(t.Context(), m, nil); err != nil {
		t.Fatal(err)
	}
	if got := asked.String(); !strings.Contains(got, "Model [") || strings.Contains(got, "Table") {
		t.Errorf("it asks:\n%s", got)
	}
	o.set = []string{"openai_models=x 1 1 1 1"}
	o.in = bufio.NewReader(strings.NewReader("\n\n\n"))
	if a, err := o.answers(t.Context(), m, nil); err != nil || a.Variables["openai_models"] != "x 1 1 1 1" {
		t.Errorf("%v, %v", a.Variables, err)
	}
}

// TestChoosingAProviderSwitchesTheOthersOff: what an earlier init installed must not stay
// the one that answers.
func TestChoosingAProviderSwitchesTheOthersOff(t *testing.T) {
	state := store.State{Dir: t.TempDir()}
	st := &store.Store{Dir: t.TempDir(), BinDir: t.TempDir()}
	groups := []distro.Group{{Name: "llm", Members: []string{"a", "b"}}}
	if err := state.Disable("a"); err != nil {
		t.Fatal(err)
	}
	if err := choose(state, st, groups, map[string][]string{"llm": {"a"}}); err != nil {
		t.Fatal(err)
	}
	off, err := state.Disabled()
	if err != nil || off["a"] {
		t.Errorf("the chosen one is off: %v, %v", off, err)
	}
	if off["b"] {
		t.Error("one that is not installed was marked")
	}
}
