package approval

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

const (
	scopeSession   = "session"
	scopeWorkspace = "workspace"
)

// accountKey names one total. Principals never share one, whatever they call their session.
type accountKey struct{ scope, principal, name string }

func sessionAccount(principal, session string) accountKey {
	return accountKey{scopeSession, principal, session}
}

func workspaceAccount(principal, workspace string) accountKey {
	return accountKey{scopeWorkspace, principal, workspace}
}

// keysOf lists the accounts of a subject, workspace first: it is the outer budget.
func keysOf(s Subject) []accountKey {
	keys := make([]accountKey, 0, 2)
	if s.Workspace != "" {
		keys = append(keys, workspaceAccount(s.Principal, s.Workspace))
	}
	return append(keys, sessionAccount(s.Principal, s.Session))
}

// path is the storage key. The name is the last part, so that a "/" in it cannot reach another account.
func (k accountKey) path() string {
	return budgetPrefix + k.scope + "/" + k.principal + "/" + k.name
}

type savedAccount struct {
	SpentMicros Micros `json:"spent_micros"`
}

func (b *Budgets) saveLocked(ctx context.Context, a *account) error {
	val, err := json.Marshal(savedAccount{a.spent})
	if err != nil {
		return err
	}
	return b.store.Put(ctx, a.key.path(), val)
}

// load reads all totals. A damaged one is an error: starting at zero would hand out the budget again.
func (b *Budgets) load(ctx context.Context) error {
	return b.store.Scan(ctx, budgetPrefix, func(key string, val []byte) error {
		parts := strings.SplitN(strings.TrimPrefix(key, budgetPrefix), "/", 3)
		if len(parts) != 3 || (parts[0] != scopeSession && parts[0] != scopeWorkspace) {
			return fmt.Errorf("budget record %q: unknown key", key)
		}
		var s savedAccount
		if err := json.Unmarshal(val, &s); err != nil {
			return fmt.Errorf("budget record %q: %w", key, err)
		}
		if s.SpentMicros < 0 || s.SpentMicros > maxMicros {
			return fmt.Errorf("budget record %q: %w: %d", key, ErrAmount, s.SpentMicros)
		}
		k := accountKey{parts[0], parts[1], parts[2]}
		b.accounts[k] = &account{key: k, spent: s.SpentMicros}
		return nil
	})
}

// EndSession forgets a session's total. The workspace total stays.
func (b *Budgets) EndSession(ctx context.Context, principal, session string) error {
	k := sessionAccount(principal, session)
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.accounts, k)
	return b.store.Delete(ctx, k.path())
}
