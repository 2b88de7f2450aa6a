package wasm

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Usage counts what the guests of one capsule use. It may be read at any time.
type Usage struct {
	instances atomic.Int64
	memory    atomic.Int64
	calls     atomic.Uint64

	mu       sync.Mutex
	accounts map[string]*account // by principal
}

// Share is what a capsule has used for one principal.
type Share struct {
	Principal string
	CPU       time.Duration // in guest code
	Throttled time.Duration // held back, because its share was used up
}

// Instances is how many instances live now.
func (u *Usage) Instances() int { return int(u.instances.Load()) }

// Memory is the linear memory of the live instances, in bytes.
func (u *Usage) Memory() uint64 { return uint64(max(u.memory.Load(), 0)) }

// HostCalls is how many host functions were called.
func (u *Usage) HostCalls() uint64 { return u.calls.Load() }

// CPU is the time spent in guest code since the capsule was loaded.
func (u *Usage) CPU() (sum time.Duration) {
	for _, s := range u.Shares() {
		sum += s.CPU
	}
	return sum
}

// Shares lists what was used for each principal, by name.
func (u *Usage) Shares() []Share {
	u.mu.Lock()
	defer u.mu.Unlock()
	out := make([]Share, 0, len(u.accounts))
	for p, a := range u.accounts {
		out = append(out, Share{p, time.Duration(a.cpu.Load()), time.Duration(a.throttled.Load())})
	}
	slices.SortFunc(out, func(a, b Share) int { return strings.Compare(a.Principal, b.Principal) })
	return out
}

// account is that of a principal; it is made when it is needed first.
func (u *Usage) account(principal string) *account {
	u.mu.Lock()
	defer u.mu.Unlock()
	a := u.accounts[principal]
	if a == nil {
		a = new(account)
		if u.accounts == nil {
			u.accounts = make(map[string]*account)
		}
		u.accounts[principal] = a
	}
	return a
}
