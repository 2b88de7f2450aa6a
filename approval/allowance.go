package approval

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Scope is how long a permission lasts.
type Scope string

// The scopes of allowances. "Always" is not among them: it is a capability token.
const (
	ScopeOnce      Scope = "once"      // this session, one use
	ScopeSession   Scope = "session"   // until the session ends; never persisted
	ScopeWorkspace Scope = "workspace" // persisted, for the workspace it was given in
)

// Allowance lets one capsule of one principal do what Pattern covers without asking again.
type Allowance struct {
	ID        string    `json:"id"`
	Principal string    `json:"principal"`
	Capsule   string    `json:"capsule"`
	Scope     Scope     `json:"scope"`
	Session   string    `json:"session,omitempty"`
	Workspace string    `json:"workspace,omitempty"`
	Pattern   Pattern   `json:"pattern"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at,omitzero"` // zero = never
	MaxUses   int       `json:"max_uses,omitempty"`  // 0 = unlimited
	Used      int       `json:"used,omitempty"`
	AuditID   string    `json:"audit_id,omitempty"` // the entry that recorded the human's decision
}

// ErrNoAllowance: there is no such allowance of this principal.
var ErrNoAllowance = errors.New("no such allowance")

// errSessionOver: the session ended between the question and what the answer grants.
var errSessionOver = errors.New("the session is over")

func (a *Allowance) check() error {
	if a.ID == "" || a.Principal == "" || a.Capsule == "" {
		return errors.New("allowance: id, principal and capsule are required")
	}
	if a.MaxUses < 0 || a.Used < 0 {
		return errors.New("allowance: negative uses")
	}
	switch a.Scope {
	case ScopeOnce:
		if a.MaxUses != 1 {
			return errors.New("allowance: scope once has exactly one use")
		}
	case ScopeSession:
	case ScopeWorkspace:
		if a.Workspace == "" {
			return errors.New("allowance: scope workspace needs a workspace")
		}
	default:
		return fmt.Errorf("allowance: unknown scope %q", a.Scope)
	}
	return nil
}

// valid: neither expired nor used up.
func (a *Allowance) valid(now time.Time) bool {
	return (a.ExpiresAt.IsZero() || now.Before(a.ExpiresAt)) && (a.MaxUses == 0 || a.Used < a.MaxUses)
}

// reaches: the allowance is for this subject.
func (a *Allowance) reaches(s *Subject) bool {
	if a.Principal != s.Principal || a.Capsule != s.Capsule {
		return false
	}
	switch a.Scope {
	case ScopeOnce:
		return a.Session == s.Session && a.Workspace == s.Workspace
	case ScopeSession:
		return a.Session == s.Session
	default:
		return a.Workspace == s.Workspace
	}
}

// persists: one-use allowances come from queued requests, which outlive the daemon.
func (a *Allowance) persists() bool { return a.Scope != ScopeSession }

// AllowancesOptions configure Allowances.
type AllowancesOptions struct {
	Store Store            // nil: nothing is persisted
	Now   func() time.Time // nil: time.Now
}

type owner struct{ principal, capsule string }

type sessionOf struct{ principal, session string }

type standing struct {
	Allowance
	match matcher
}

// Allowances are the standing permissions of all principals.
type Allowances struct {
	store Store
	now   func() time.Time

	mu      sync.Mutex
	byOwner map[owner][]*standing
	changed chan struct{} // closed and replaced at each Add
	ended   map[sessionOf]uint64
}

// NewAllowances loads the persisted ones. A damaged record is an error: it names the key to delete.
func NewAllowances(ctx context.Context, o AllowancesOptions) (*Allowances, error) {
	if o.Store == nil {
		o.Store = memory{}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	as := &Allowances{store: o.Store, now: o.Now, byOwner: map[owner][]*standing{}, changed: make(chan struct{}), ended: map[sessionOf]uint64{}}
	var over []string
	err := o.Store.Scan(ctx, allowancePrefix, func(key string, val []byte) error {
		a, err := DecodeAllowance(val)
		if err == nil && key != allowancePrefix+a.ID {
			err = errors.New("its id differs from its key")
		}
		var m matcher
		if err == nil {
			m, err = a.Pattern.compile()
		}
		if err != nil {
			return fmt.Errorf("allowance record %q: %w", key, err)
		}
		if !a.valid(as.now()) {
			over = append(over, key)
			return nil
		}
		k := owner{a.Principal, a.Capsule}
		as.byOwner[k] = append(as.byOwner[k], &standing{a, m})
		return nil
	})
	for _, key := range over {
		err = errors.Join(err, o.Store.Delete(ctx, key))
	}
	if err != nil {
		return nil, err
	}
	return as, nil
}

// DecodeAllowance reads a stored allowance.
func DecodeAllowance(data []byte) (Allowance, error) {
	var raw struct {
		Allowance
		Pattern json.RawMessage `json:"pattern"`
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return Allowance{}, err
	}
	p, err := DecodePattern(raw.Pattern)
	if err != nil {
		return Allowance{}, err
	}
	raw.Allowance.Pattern = p
	return raw.Allowance, raw.Allowance.check()
}

// Add stores an allowance; one of the same id is replaced. A persistent one is durable on return.
func (as *Allowances) Add(ctx context.Context, a Allowance) error {
	return as.add(ctx, a, as.era(a.Principal, a.Session))
}

// era counts how often a session has ended. What was asked in one era is granted in no other.
func (as *Allowances) era(principal, session string) uint64 {
	as.mu.Lock()
	defer as.mu.Unlock()
	return as.ended[sessionOf{principal, session}]
}

func (as *Allowances) add(ctx context.Context, a Allowance, era uint64) error {
	if err := a.check(); err != nil {
		return err
	}
	m, err := a.Pattern.compile()
	if err != nil {
		return err
	}
	as.mu.Lock()
	defer as.mu.Unlock()
	if a.Scope == ScopeSession && as.ended[sessionOf{a.Principal, a.Session}] != era {
		return errSessionOver
	}
	if a.persists() {
		if err := as.saveLocked(ctx, &a); err != nil {
			return err
		}
	}
	k := owner{a.Principal, a.Capsule}
	list := slices.DeleteFunc(as.byOwner[k], func(x *standing) bool { return x.ID == a.ID })
	as.byOwner[k] = append(list, &standing{a, m})
	as.wakeLocked()
	return nil
}

func (as *Allowances) saveLocked(ctx context.Context, a *Allowance) error {
	val, err := json.Marshal(a)
	if err != nil {
		return err
	}
	if err := as.store.Put(ctx, allowancePrefix+a.ID, val); err != nil {
		return fmt.Errorf("save allowance %s: %w", a.ID, err)
	}
	return nil
}

func (as *Allowances) wakeLocked() {
	close(as.changed)
	as.changed = make(chan struct{})
}

// change returns a channel that is closed when a permission is added.
func (as *Allowances) change() <-chan struct{} {
	as.mu.Lock()
	defer as.mu.Unlock()
	return as.changed
}

// wake tells waiting calls to look again.
func (as *Allowances) wake() {
	as.mu.Lock()
	defer as.mu.Unlock()
	as.wakeLocked()
}
