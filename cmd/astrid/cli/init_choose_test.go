package cli

import (
	"testing"

	"github.com/unicity-astrid/astrid-go/capsule/distro"
	"github.com/unicity-astrid/astrid-go/capsule/store"
)

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
