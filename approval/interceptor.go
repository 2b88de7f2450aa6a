package approval

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// Options configure an Interceptor. Auditor is required; the rest has working zero values.
type Options struct {
	Auditor    Auditor
	Tokens     Tokens      // nil: no token covers anything and "always" is not offered
	Policy     *Policy     // nil: DefaultRules
	Budgets    *Budgets    // nil: unlimited, in memory
	Allowances *Allowances // nil: none persisted
	Approvals  *Manager    // nil: nobody ever attaches, requests are queued in memory
	Brake      Brake       // zero: capsules may fill the audit log
	Now        func() time.Time
	Log        *slog.Logger
	// Locate says where a session works and how freely; what a subject says itself comes before it. It is called for every
	// Guarded action, and for the others while any workspace has rules of its own. nil: subjects say it themselves.
	Locate func(principal, session string) Place
	// OnBudgetWarning is called when an action takes a budget past its threshold. It must not block.
	OnBudgetWarning func(Subject, BudgetWarning)
}

// Place is where a session works, and how freely. Both paths are absolute and clean; "" when there is none.
type Place struct {
	Workspace, Home string
	// Mode is the freest mode that the session may have: where its workspace's is stricter, that one holds.
	// nil: the workspace's, whatever it is.
	Mode *Mode
}

// Interceptor is the gate. Every effect of every capsule passes Intercept. It is safe for concurrent use.
type Interceptor struct {
	auditor    Auditor
	tokens     Tokens
	budgets    *Budgets
	allowances *Allowances
	approvals  *Manager
	now        func() time.Time
	log        *slog.Logger
	onWarning  func(Subject, BudgetWarning)
	locate     func(principal, session string) Place

	policies atomic.Pointer[policies]
	policyMu sync.Mutex // serialises SetPolicy
	counters counters
	brakes   brakes
}

// policies are the policy of each workspace that has its own, and the one for all others.
type policies struct {
	base        *Policy
	byWorkspace map[string]*Policy
	rules       map[string]Rules // what the workspaces asked for
}

// New makes an interceptor.
func New(o Options) (*Interceptor, error) {
	if o.Auditor == nil {
		return nil, errors.New("approval: an interceptor needs an auditor")
	}
	i := &Interceptor{
		auditor: o.Auditor, tokens: o.Tokens, budgets: o.Budgets, allowances: o.Allowances,
		approvals: o.Approvals, now: o.Now, log: o.Log, onWarning: o.OnBudgetWarning,
		locate: o.Locate,
	}
	var err error
	if o.Policy == nil {
		if o.Policy, err = CompilePolicy(DefaultRules()); err != nil {
			return nil, err
		}
	}
	if i.tokens == nil {
		i.tokens = noTokens{}
	}
	if i.now == nil {
		i.now = time.Now
	}
	if i.log == nil {
		i.log = slog.New(slog.DiscardHandler)
	}
	if i.budgets == nil {
		if i.budgets, err = NewBudgets(context.Background(), Limits{}, nil); err != nil {
			return nil, err
		}
	}
	if i.allowances == nil {
		if i.allowances, err = NewAllowances(context.Background(), AllowancesOptions{Now: i.now}); err != nil {
			return nil, err
		}
	}
	if i.approvals == nil {
		if i.approvals, err = NewManager(context.Background(), ManagerOptions{Now: i.now}); err != nil {
			return nil, err
		}
	}
	i.policies.Store(&policies{base: o.Policy})
	if o.Brake.closedFor == 0 {
		o.Brake.closedFor = brakeClosedFor
	}
	i.brakes = brakes{Brake: o.Brake, now: i.now, opened: i.noteOpened, of: make(map[brakeKey]*brakeState)}
	i.approvals.bind(i)
	return i, nil
}

// SetPolicy replaces the common policy. Workspaces with rules of their own are tightened anew from it.
func (i *Interceptor) SetPolicy(p *Policy) error {
	if p == nil {
		return errors.New("approval: there is no gate without a policy")
	}
	i.policyMu.Lock()
	defer i.policyMu.Unlock()
	return i.installLocked(p, i.policies.Load().rules)
}

// SetWorkspace gives a workspace rules of its own: all of its effective settings, not only the changed ones. They
// only tighten the common policy; what would loosen it is ignored. Nil rules remove them.
func (i *Interceptor) SetWorkspace(workspace string, ws *Rules) error {
	if workspace == "" {
		return errors.New("approval: a workspace's rules need its root")
	}
	i.policyMu.Lock()
	defer i.policyMu.Unlock()
	old := i.policies.Load()
	rules := maps.Clone(old.rules)
	delete(rules, workspace)
	if ws != nil {
		if rules == nil {
			rules = map[string]Rules{}
		}
		rules[workspace] = *ws
	}
	return i.installLocked(old.base, rules)
}

// installLocked compiles everything before anything changes.
func (i *Interceptor) installLocked(base *Policy, rules map[string]Rules) error {
	next := &policies{base: base, byWorkspace: make(map[string]*Policy, len(rules)), rules: rules}
	for workspace, ws := range rules {
		p, err := CompilePolicy(Tighten(base.rules, ws))
		if err != nil {
			return fmt.Errorf("workspace %s: %w", workspace, err)
		}
		next.byWorkspace[workspace] = p
	}
	i.policies.Store(next)
	return nil
}

// PolicyFor is the policy that decides for a workspace.
func (i *Interceptor) PolicyFor(workspace string) *Policy {
	all := i.policies.Load()
	if workspace != "" && all.byWorkspace != nil {
		if p := all.byWorkspace[workspace]; p != nil {
			return p
		}
	}
	return all.base
}

// Conceals tells whether agents are kept from a path in a workspace, see [Policy.Conceals].
func (i *Interceptor) Conceals(workspace, file string) bool {
	_, hidden := i.PolicyFor(workspace).Conceals(workspace, file)
	return hidden
}

// policyOf is the policy that decides about a guarded action of a subject: its workspace's, in the session's mode where
// that is stricter.
func (i *Interceptor) policyOf(s *Subject) *Policy {
	p := i.PolicyFor(s.Workspace)
	if s.mode.limited {
		return p.AtMost(s.mode.Mode, SessionModeSource)
	}
	return p
}

// Approvals is the manager of open requests.
func (i *Interceptor) Approvals() *Manager { return i.approvals }

// Allowances is the store of standing permissions.
func (i *Interceptor) Allowances() *Allowances { return i.allowances }

// Budgets are the totals.
func (i *Interceptor) Budgets() *Budgets { return i.budgets }

// scratch lends an Action to Bounds.Permit without an allocation per call: an argument of an interface method
// would otherwise move to the heap.
var scratch = sync.Pool{New: func() any { return new(Action) }}

// Intercept decides one action. A nil error means that the effect may happen now; for Guarded actions the audit
// entry exists already. Any refusal is a *Denial, except that a cancelled context returns its cause, with
// everything given back and nothing recorded.
func (i *Interceptor) Intercept(ctx context.Context, s Subject, a Action) (Grant, error) {
	if s.Bounds == nil || s.Principal == "" || s.Capsule == "" {
		return nil, i.refuse(ctx, s, a, refusal{is: ErrDenied, layer: LayerManifest, rule: "subject",
			reason: "the caller has no principal, no capsule id or no manifest"})
	}
	guarded := a.Class != Plain && a.Class != Message
	if i.locate != nil && (guarded || s.Workspace == "" && len(i.policies.Load().byWorkspace) > 0) {
		i.place(&s)
	}
	if guarded {
		return i.guarded(ctx, s, a)
	}
	p := scratch.Get().(*Action)
	*p = a
	rule, err := s.Bounds.Permit(p)
	var v verdict
	ok := err == nil
	if ok {
		v, ok = i.PolicyFor(s.Workspace).light(&s, p)
	}
	*p = Action{}
	scratch.Put(p)
	switch {
	case err != nil:
		return nil, i.refuse(ctx, s, a, manifestRefusal(rule, err))
	case !ok:
		return nil, i.refuse(ctx, s, a, policyRefusal(v))
	}
	i.counters.light[a.Class].Add(1)
	return plainGrant, nil
}

// place fills in where the subject's session works, as far as the caller did not say, and the mode it may have.
func (i *Interceptor) place(s *Subject) {
	at := i.locate(s.Principal, s.Session)
	if at.Mode != nil {
		s.mode = sessionMode{*at.Mode, true}
	}
	if s.Workspace == "" {
		s.Workspace = at.Workspace
	}
	if s.Home == "" {
		s.Home = at.Home
	}
}

// check reports the part of a subject that is not well formed. The kernel stamps them, so a failure is a defect.
func (s *Subject) check() error {
	if len(s.Principal) > 64 {
		return fmt.Errorf("principal has %d characters, at most 64", len(s.Principal))
	}
	for _, c := range []byte(s.Principal) {
		if !(c == '-' || c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z') {
			return fmt.Errorf("principal %s is not [A-Za-z0-9_-]", Display(s.Principal))
		}
	}
	for _, c := range []byte(s.Capsule) {
		if !(c == '-' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z') {
			return fmt.Errorf("capsule id %s is not [a-z0-9-]", Display(s.Capsule))
		}
	}
	if len(s.Session) > maxSession {
		return fmt.Errorf("session id has %d bytes, at most %d", len(s.Session), maxSession)
	}
	return nil
}

// maxSession bounds a session id, in bytes.
const maxSession = 128
