package kernel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/audit"
	"github.com/unicity-astrid/astrid-go/capability"
	"github.com/unicity-astrid/astrid-go/kernel/config"
	"github.com/unicity-astrid/astrid-go/kernel/home"
	"github.com/unicity-astrid/astrid-go/kernel/storage"
)

// gate is the interceptor with what it is made of.
type gate struct {
	*approval.Interceptor
	key    *capability.Key
	log    *audit.Log
	files  *audit.FileStore
	tokens *capability.Tokens
	gateHooks
}

// openGate makes the five layers. cfg may be nil: then the defaults hold.
func openGate(ctx context.Context, h home.Home, store storage.Engine, f *files, o Options) (*gate, error) {
	key, err := capability.OpenKey(h.RuntimeKey())
	if err != nil {
		return nil, fmt.Errorf("runtime key: %w", err)
	}
	g := &gate{key: key}
	if err := g.open(ctx, h, store, f, o); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	return g, nil
}

func (g *gate) open(ctx context.Context, h home.Home, store storage.Engine, f *files, o Options) error {
	var err error
	if g.files, err = audit.NewFileStore(h.PrincipalsDir(), audit.FileStoreOptions{}); err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	anchor, err := audit.NewSlotAnchor(h.AuditAnchorDir())
	if err != nil {
		return fmt.Errorf("audit anchor: %w", err)
	}
	cfg := o.Config
	g.log, err = audit.Open(audit.Options{
		Store: g.files, Anchor: anchor, Signer: g.key, Now: o.Now, SyncAlways: cfg.Audit.Sync == "always",
	})
	if err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	if err := g.log.OpenChain(ctx, home.DefaultPrincipal); err != nil {
		return fmt.Errorf("audit log: %w (nothing can run without it: look with `astrid audit verify`, begin a new one with `astrid audit restart`)", err)
	}
	if g.tokens, err = capability.Open(capability.Options{Store: store, Signer: g.key, Now: o.Now}); err != nil {
		return fmt.Errorf("capability tokens: %w", err)
	}
	policy, err := approval.CompilePolicy(rulesOf(cfg, h))
	if err != nil {
		return err
	}
	limits, err := limitsOf(cfg)
	if err != nil {
		return err
	}
	budgets, err := approval.NewBudgets(ctx, limits, store)
	if err != nil {
		return fmt.Errorf("budgets: %w", err)
	}
	allowances, err := approval.NewAllowances(ctx, approval.AllowancesOptions{Store: store, Now: o.Now})
	if err != nil {
		return fmt.Errorf("allowances: %w", err)
	}
	approvals, err := approval.NewManager(ctx, approval.ManagerOptions{Timeout: cfg.Security.ApprovalTimeout, Store: store, Now: o.Now})
	if err != nil {
		return fmt.Errorf("approvals: %w", err)
	}
	g.Interceptor, err = approval.New(approval.Options{
		Auditor: approval.NewAuditLog(g.log), Tokens: approval.NewTokenStore(g.tokens), Policy: policy,
		Budgets: budgets, Allowances: allowances, Approvals: approvals, Now: o.Now,
		Locate: f.place,
		Brake:  approval.Brake{BytesPerDay: cfg.Audit.CapsuleBytes, Source: cfg.Origin("audit.capsule_mb_per_day").String()},
		OnBudgetWarning: func(s approval.Subject, w approval.BudgetWarning) {
			slog.Warn("Budget is nearly used up", "principal", s.Principal, "session", s.Session, "scope", w.Scope, "spent", w.Spent, "max", w.Max)
		},
	})
	return err
}

// Close makes the log durable and forgets the key.
func (g *gate) Close() error {
	var errs []error
	if g.Interceptor != nil {
		g.Interceptor.Close()
	}
	if g.log != nil {
		errs = append(errs, g.log.Close())
	}
	if g.files != nil {
		errs = append(errs, g.files.Close())
	}
	return errors.Join(append(errs, g.key.Close())...)
}

// rulesOf translates the configuration into the policy's rules, each with its place.
func rulesOf(c *config.Config, h home.Home) approval.Rules {
	r := approval.DefaultRules()
	// The home holds keys, tokens and the audit log. A workspace that contains it (the
	// user's own home directory, say) must not lend them to the agent.
	for _, dir := range realPaths(h.Root()) {
		r.NeverAllow = append(r.NeverAllow, approval.Rule{Value: dir, Source: "built in: Astrid's home"})
	}
	if m, err := approval.ParseMode(c.Workspace.Mode); err == nil { // config has checked it; Safe otherwise
		r.Mode = m
	}
	r.ModeSource = c.Origin("workspace.mode").String()
	p := &c.Security.Policy
	r.BlockedTools = rules(p.BlockedTools)
	r.BlockedCapsules = rules(p.BlockedCapsules)
	r.ApprovalRequiredTools = rules(p.ApprovalRequiredTools)
	r.AllowedPaths, r.DeniedPaths = rules(p.AllowedPaths), rules(p.DeniedPaths)
	r.AllowedHosts, r.DeniedHosts = rules(p.AllowedHosts), rules(p.DeniedHosts)
	r.MaxArgumentSize = p.MaxArgumentBytes
	r.MaxArgumentSizeSource = c.Origin("security.policy.max_argument_size").String()
	r.SkipDeleteApproval = !p.RequireApprovalDelete
	r.SkipNetworkApproval = !p.RequireApprovalNetwork
	return r
}

// realPaths is a path as it is written and, where links lead elsewhere, as it really is.
func realPaths(path string) []string {
	real, err := filepath.EvalSymlinks(path)
	if err != nil || real == path {
		return []string{path}
	}
	return []string{path, real}
}

func rules(items []config.Item) []approval.Rule {
	out := make([]approval.Rule, len(items))
	for i, it := range items {
		out[i] = approval.Rule{Value: it.Value, Source: it.Origin.String()}
	}
	return out
}

// limitsOf translates the budget section.
func limitsOf(c *config.Config) (approval.Limits, error) {
	b := &c.Budget
	l := approval.Limits{
		WarnPercent:     b.WarnAtPercent,
		SessionSource:   c.Origin("budget.session_max_usd").String(),
		WorkspaceSource: c.Origin("budget.workspace_max_usd").String(),
		PerActionSource: c.Origin("budget.per_action_max_usd").String(),
	}
	for _, v := range []struct {
		usd float64
		to  *approval.Micros
	}{{b.SessionMaxUSD, &l.SessionMax}, {b.WorkspaceMaxUSD, &l.WorkspaceMax}, {b.PerActionMaxUSD, &l.PerActionMax}} {
		m, err := approval.FromUSD(v.usd)
		if err != nil {
			return l, fmt.Errorf("budget: %w", err)
		}
		*v.to = m
	}
	for _, p := range b.Tariff {
		m, err := approval.FromUSD(p.USD)
		if err != nil {
			return l, fmt.Errorf("budget.tariff of %s: %w", p.Host, err)
		}
		l.Tariff = append(l.Tariff, approval.Tariff{Host: p.Host, PerRequest: m, Source: p.Origin.String()})
	}
	return l, nil
}
