package store

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/capsule"
)

func TestStateMarks(t *testing.T) {
	s := State{Dir: filepath.Join(t.TempDir(), "state")}
	if d, err := s.Disabled(); err != nil || len(d) != 0 {
		t.Fatalf("nothing yet: %v, %v", d, err)
	}
	for _, bad := range []string{"", "../x", "A", ".", "a/b"} {
		if s.Disable(bad) == nil || s.Enable(bad) == nil || s.SaveRemoval(Removal{Name: bad}) == nil {
			t.Errorf("%q was taken for a name", bad)
		}
	}
	if err := s.Disable("demo"); err != nil {
		t.Fatal(err)
	}
	if d, err := s.Disabled(); err != nil || !d["demo"] || len(d) != 1 {
		t.Errorf("disabled: %v, %v", d, err)
	}
	if err := s.Enable("demo"); err != nil {
		t.Fatal(err)
	}
	if err := s.Enable("demo"); err != nil {
		t.Errorf("enable twice: %v", err)
	}
	if d, _ := s.Disabled(); len(d) != 0 {
		t.Errorf("still disabled: %v", d)
	}
}

func TestStateRemovals(t *testing.T) {
	s := State{Dir: t.TempDir()}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if err := s.SaveRemoval(Removal{Name: "demo", InstalledAt: at, Purge: true}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.Dir, "broken.removed"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := s.Removals()
	if err != nil || len(got) != 2 || got[0].Name != "broken" || got[1].Name != "demo" || !got[1].Purge {
		t.Fatalf("removals: %+v, %v", got, err)
	}
	same := Installed{Meta: &capsule.Meta{InstalledAt: at}}
	later := Installed{Meta: &capsule.Meta{InstalledAt: at.Add(time.Second)}}
	if !got[1].Of(same) || got[1].Of(later) || got[1].Of(Installed{}) {
		t.Error("a removal belongs to the installation it names, and to no other")
	}
	if got[0].Of(Installed{Meta: &capsule.Meta{}}) {
		t.Error("a damaged record must count as a removal that happened")
	}
	if err := s.DropRemoval("demo"); err != nil {
		t.Fatal(err)
	}
	if got, _ := s.Removals(); len(got) != 1 {
		t.Errorf("after dropping one: %+v", got)
	}
}
