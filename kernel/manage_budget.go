package kernel

import (
	"context"
	"encoding/json"

	"github.com/unicity-astrid/astrid-go/abi"
)

// getBudget tells the limits in force, where they are set, and what was used of them.
func (k *Kernel) getBudget(_ context.Context, principal string, _ json.RawMessage) (any, error) {
	b := k.gate.Budgets()
	l := b.Limits()
	info := abi.BudgetInfo{
		Limits: []abi.BudgetLimit{
			{Name: "session", MaxUSD: l.SessionMax.USD(), Source: l.SessionSource},
			{Name: "workspace", MaxUSD: l.WorkspaceMax.USD(), Source: l.WorkspaceSource},
			{Name: "per_action", MaxUSD: l.PerActionMax.USD(), Source: l.PerActionSource},
		},
		WarnAtPercent: l.WarnPercent, Tariff: []abi.TariffInfo{}, Totals: []abi.BudgetTotal{},
	}
	for _, t := range l.Tariff {
		info.Tariff = append(info.Tariff, abi.TariffInfo{Host: t.Host, USD: t.PerRequest.USD(), Source: t.Source})
	}
	for _, t := range b.Totals(principal) {
		info.Totals = append(info.Totals, abi.BudgetTotal{
			Scope: t.Scope, Name: t.Name, SpentUSD: t.Spent.USD(), ReservedUSD: t.Reserved.USD(), MaxUSD: t.Max.USD(), Source: t.Source,
		})
	}
	return info, nil
}
