package approval

import (
	"context"
	"errors"
	"testing"
)

func TestTotalsTellReservedFromSpent(t *testing.T) {
	ctx := context.Background()
	b, err := NewBudgets(ctx, Limits{SessionMax: 1000, SessionSource: "c:1"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := Subject{Principal: "p", Capsule: "c", Session: "s1", Workspace: "/ws"}
	other := Subject{Principal: "q", Capsule: "c", Session: "s1"}
	open, err := b.Reserve(ctx, s, 300, 0)
	if err != nil {
		t.Fatal(err)
	}
	kept, _ := b.Reserve(ctx, s, 100, 0)
	settled, _ := b.Reserve(ctx, s, 200, 0)
	refunded, _ := b.Reserve(ctx, s, 50, 0)
	if _, err := b.Reserve(ctx, other, 7, 0); err != nil {
		t.Fatal(err)
	}
	kept.Keep()
	kept.Keep() // counts once
	if _, err := settled.Settle(ctx, 20); err != nil {
		t.Fatal(err)
	}
	if err := refunded.Refund(ctx); err != nil {
		t.Fatal(err)
	}
	want := []Total{
		{Scope: "workspace", Name: "/ws", Spent: 120, Reserved: 300},
		{Scope: "session", Name: "s1", Spent: 120, Reserved: 300, Max: 1000, Source: "c:1"},
	}
	got := b.Totals("p")
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Fatalf("totals %+v, want %+v", got, want)
	}
	if err := b.EndSession(ctx, "p", "s1"); err != nil {
		t.Fatal(err)
	}
	open.Keep() // its session is gone
	if got := b.Totals("p"); len(got) != 1 || got[0].Spent != 420 || got[0].Reserved != 0 {
		t.Fatalf("after the session: %+v", got)
	}
}

func TestWorkspaceLimitsOnlyTighten(t *testing.T) {
	ctx := context.Background()
	b, err := NewBudgets(ctx, Limits{SessionMax: 100, PerActionMax: 60, Tariff: []Tariff{{Host: "api.test", PerRequest: 10}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.SetWorkspaceLimits("/loose", &Limits{SessionMax: 5000, PerActionMax: 5000, Tariff: []Tariff{{Host: "api.test", PerRequest: 1}}})
	b.SetWorkspaceLimits("/strict", &Limits{SessionMax: 40, SessionSource: "ws:3", WorkspaceMax: 50, PerActionMax: 30, PerActionSource: "ws:4",
		Tariff: []Tariff{{Host: "api.test", PerRequest: 20}}})
	for _, c := range []struct {
		workspace string
		cost      Micros
		scope     string // of the refusal
		source    string
	}{
		{"/loose", 61, "per-action", ""},
		{"/loose", 60, "", ""},
		{"/loose", 41, "session", ""},
		{"/strict", 31, "per-action", "ws:4"},
		{"/strict", 30, "", ""},
		{"/strict", 11, "session", "ws:3"},
	} {
		_, err := b.Reserve(ctx, Subject{Principal: "p", Capsule: "c", Session: "s" + c.workspace, Workspace: c.workspace}, c.cost, 0)
		var over *OverBudget
		if errors.As(err, &over) != (c.scope != "") || over != nil && (over.Scope != c.scope || over.Source != c.source) {
			t.Errorf("%s %d: %v, want a refusal by %q set in %q", c.workspace, c.cost, err, c.scope, c.source)
		}
	}
	for ws, want := range map[string]Micros{"/loose": 10, "/strict": 20, "": 10} {
		if got, _ := b.Floor(ws, "api.test"); got != want {
			t.Errorf("floor in %q is %d, want %d", ws, got, want)
		}
	}
	b.SetWorkspaceLimits("/strict", nil)
	if got, _ := b.Floor("/strict", "api.test"); got != 10 {
		t.Errorf("floor after removal is %d", got)
	}
}
