package capability

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
)

// rig is a token store with a clock of its own.
type rig struct {
	*Tokens
	store *MemStore
	now   time.Time
	t     testing.TB
}

func newRig(t testing.TB) *rig {
	r := &rig{store: NewMemStore(), now: time.Date(2026, 1, 1, 0, 0, 0, 500, time.UTC), t: t}
	r.Tokens = r.open(Options{})
	return r
}

// open returns another Tokens on the same store, as another process would.
func (r *rig) open(o Options) *Tokens {
	if o.Store == nil {
		o.Store = r.store
	}
	if o.Signer == nil {
		o.Signer = vectorKey(r.t)
	}
	o.Now = func() time.Time { return r.now }
	tk, err := Open(o)
	if err != nil {
		r.t.Fatal(err)
	}
	return tk
}

func (r *rig) mint(q Request) Token {
	r.t.Helper()
	if q.Principal == "" {
		q.Principal = "alice"
	}
	if q.AuditID == uuid.Nil {
		q.AuditID = uuid.New()
	}
	k, err := r.Mint(context.Background(), q)
	if err != nil {
		r.t.Fatal(err)
	}
	return k
}

var ctx = context.Background()

func TestFind(t *testing.T) {
	r := newRig(t)
	mine := r.mint(Request{Capsule: "files", Resource: "fs:read:///ws/**", TTL: time.Hour})
	anyone := r.mint(Request{Resource: "fs:read:///pub/*"})
	session := r.mint(Request{Capsule: "files", Resource: "kv:*", Scope: Session})
	r.mint(Request{Capsule: "files", Resource: "fs:read:///list/**", Permissions: []Permission{List}})
	for _, tt := range []struct {
		principal, capsule, resource string
		want                         uuid.UUID
	}{
		{"alice", "files", "fs:read:///ws/a/b", mine.ID},
		{"alice", "files", "fs:read:///wsx", uuid.Nil},
		{"alice", "files", "fs:write:///ws/a/b", uuid.Nil},
		{"alice", "files", "fs:read:///ws/../etc", uuid.Nil},
		{"alice", "shell", "fs:read:///ws/a", uuid.Nil},
		{"alice", "", "fs:read:///ws/a", uuid.Nil},
		{"bob", "files", "fs:read:///ws/a", uuid.Nil},
		{"alice", "shell", "fs:read:///pub/a", anyone.ID},
		{"bob", "shell", "fs:read:///pub/a", uuid.Nil},
		{"alice", "files", "kv:theme", session.ID},
		{"alice", "files", "fs:read:///list/a", uuid.Nil},
	} {
		m, err := r.Find(ctx, tt.principal, tt.capsule, tt.resource)
		switch {
		case tt.want == uuid.Nil && err == nil:
			t.Errorf("%s/%s %s: found %s", tt.principal, tt.capsule, tt.resource, m.Token.Resource)
		case tt.want == uuid.Nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrResource):
			t.Errorf("%s: %v", tt.resource, err)
		case tt.want != uuid.Nil && (err != nil || m.Token.ID != tt.want):
			t.Errorf("%s/%s %s: %v, %v", tt.principal, tt.capsule, tt.resource, m, err)
		}
	}
	if err := r.ClearSession(ctx, "alice"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Find(ctx, "alice", "files", "kv:theme"); !errors.Is(err, ErrNotFound) {
		t.Errorf("session token after the session: %v", err)
	}
	other := r.open(Options{}) // durable tokens are there for others, session tokens are not
	if m, err := other.Find(ctx, "alice", "files", "fs:read:///ws/a"); err != nil || m.Token.AuditID != mine.AuditID {
		t.Errorf("another process: %v", err)
	}
}

func TestExpiry(t *testing.T) {
	r := newRig(t)
	strict := r.open(Options{Skew: -1})
	k := r.mint(Request{Resource: "kv:a", TTL: time.Minute})
	start := r.now
	for _, tt := range []struct {
		at              time.Duration
		lenient, strict bool
	}{
		{0, true, true}, {59 * time.Second, true, true}, {61 * time.Second, true, false},
		{89 * time.Second, true, false}, {91 * time.Second, false, false},
		{-10 * time.Second, true, false}, {-time.Minute, false, false}, // the clock was set back
	} {
		r.now = start.Add(tt.at)
		for name, x := range map[string]struct {
			t    *Tokens
			want bool
		}{"lenient": {r.Tokens, tt.lenient}, "strict": {strict, tt.strict}} {
			_, err := x.t.Find(ctx, "alice", "c", "kv:a")
			if (err == nil) != x.want {
				t.Errorf("%v after minting, %s: %v", tt.at, name, err)
			}
		}
	}
	r.now = start
	m, err := r.Find(ctx, "alice", "c", "kv:a")
	if err != nil {
		t.Fatal(err)
	}
	r.now = start.Add(time.Hour)
	if err := m.Claim(ctx); !errors.Is(err, ErrExpired) {
		t.Errorf("claimed after its end: %v", err)
	}
	if i, err := r.Show(ctx, "alice", k.ID); err != nil || i.Status != Expired {
		t.Errorf("status %v, %v", i.Status, err)
	}
	r.mint(Request{Resource: "kv:b"})
	if n, err := r.Prune(ctx, "alice"); n != 1 || err != nil {
		t.Errorf("pruned %d, %v", n, err)
	}
	if l, _ := r.List(ctx, "alice"); len(l) != 1 || l[0].Token.Resource != "kv:b" {
		t.Errorf("left %v", l)
	}
	if k := r.mint(Request{Resource: "kv:a", TTL: -time.Minute}); !k.Expired(r.now, 30*time.Second) || k.Expired(r.now, 2*time.Minute) {
		t.Error("a token with a negative time to live")
	}
}

// TestRevoke takes a token back between Find and Claim, in another process.
func TestRevoke(t *testing.T) {
	for _, single := range []bool{false, true} {
		r := newRig(t)
		k := r.mint(Request{Resource: "kv:a", SingleUse: single})
		m, err := r.Find(ctx, "alice", "c", "kv:a")
		if err != nil {
			t.Fatal(err)
		}
		raw, _ := r.store.Get(ctx, tokenKey("alice", k.ID))
		if err := r.open(Options{}).Revoke(ctx, "alice", k.ID, "changed my mind"); err != nil {
			t.Fatal(err)
		}
		if err := m.Claim(ctx); !errors.Is(err, ErrRevoked) {
			t.Errorf("claimed a revoked token: %v", err)
		}
		// Somebody puts the stored token back: the mark still counts.
		r.store.Put(ctx, tokenKey("alice", k.ID), raw)
		r.durable.advance(ctx, "alice")
		if _, err := r.Find(ctx, "alice", "c", "kv:a"); !errors.Is(err, ErrNotFound) {
			t.Errorf("found a revoked token: %v", err)
		}
		i, err := r.Show(ctx, "alice", k.ID)
		if err != nil || i.Status != Revoked || i.Reason != "changed my mind" || i.Token.Resource != "kv:a" || !i.Revoked.Equal(r.now) {
			t.Errorf("info %+v, %v", i, err)
		}
		if err := r.Revoke(ctx, "alice", k.ID, "again"); err != nil {
			t.Errorf("revoked twice: %v", err)
		}
		if err := r.Revoke(ctx, "bob", k.ID, "not his"); !errors.Is(err, ErrNotFound) {
			t.Errorf("revoked by another principal: %v", err)
		}
	}
}

func TestRevokeCapsule(t *testing.T) {
	r := newRig(t)
	for i := range 3 {
		r.mint(Request{Capsule: "files", Resource: fmt.Sprintf("kv:%d", i)})
	}
	r.mint(Request{Capsule: "files", Resource: "kv:s", Scope: Session})
	keep := r.mint(Request{Capsule: "shell", Resource: "kv:1"})
	if n, err := r.RevokeCapsule(ctx, "alice", "files", "removed"); n != 4 || err != nil {
		t.Errorf("revoked %d, %v", n, err)
	}
	for _, res := range []string{"kv:0", "kv:1", "kv:s"} {
		if _, err := r.Find(ctx, "alice", "files", res); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", res, err)
		}
	}
	if m, err := r.Find(ctx, "alice", "shell", "kv:1"); err != nil || m.Token.ID != keep.ID {
		t.Errorf("the other capsule: %v", err)
	}
	if _, err := r.RevokeCapsule(ctx, "alice", "", "all"); err == nil {
		t.Error("revoked the tokens of no capsule")
	}
}

// TestSingleUse claims, releases and claims again; others see it each time.
func TestSingleUse(t *testing.T) {
	r := newRig(t)
	k := r.mint(Request{Resource: "kv:a", SingleUse: true})
	find := func(tk *Tokens) *Match {
		t.Helper()
		m, err := tk.Find(ctx, "alice", "c", "kv:a")
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	other := r.open(Options{})
	a, b := find(r.Tokens), find(other)
	if find(r.Tokens); a.Claim(ctx) != nil { // finding takes nothing
		t.Fatal("claim")
	}
	if err := b.Claim(ctx); !errors.Is(err, ErrUsed) {
		t.Errorf("claimed twice: %v", err)
	}
	if err := a.Claim(ctx); !errors.Is(err, ErrUsed) {
		t.Errorf("claimed twice by one: %v", err)
	}
	if _, err := other.Find(ctx, "alice", "c", "kv:a"); !errors.Is(err, ErrNotFound) {
		t.Errorf("found a claimed token: %v", err)
	}
	if i, _ := r.Show(ctx, "alice", k.ID); i.Status != Used {
		t.Errorf("status %s", i.Status)
	}
	if err := b.Release(ctx); err != nil { // not its claim
		t.Error(err)
	}
	if err := find2(other); err == nil {
		t.Error("released by somebody else")
	}
	if err := a.Release(ctx); err != nil {
		t.Fatal(err)
	}
	if err := b.Claim(ctx); err != nil {
		t.Errorf("after the release: %v", err)
	}
	if err := a.Release(ctx); err != nil {
		t.Error(err)
	}
	if err := find2(other); err == nil {
		t.Error("a second release undid another claim")
	}
	// A token for many uses is preferred.
	many := r.mint(Request{Resource: "kv:*"})
	r.mint(Request{Resource: "kv:a", SingleUse: true})
	if m := find(r.Tokens); m.Token.ID != many.ID || m.Claim(ctx) != nil {
		t.Errorf("found %s", m.Token.Resource)
	}
}

func find2(tk *Tokens) error {
	_, err := tk.Find(ctx, "alice", "c", "kv:a")
	return err
}

// TestClaimHammer has 64 callers in four processes go for ten single-use tokens.
func TestClaimHammer(t *testing.T) {
	const tokens, callers = 10, 64
	r := newRig(t)
	for range tokens {
		r.mint(Request{Resource: "kv:a", SingleUse: true})
	}
	var procs []*Tokens
	for range 4 {
		procs = append(procs, r.open(Options{}))
	}
	var mu sync.Mutex
	claimed := map[uuid.UUID]int{}
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for {
				m, err := procs[i%4].Find(ctx, "alice", "c", "kv:a")
				if errors.Is(err, ErrNotFound) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				switch err := m.Claim(ctx); {
				case errors.Is(err, ErrUsed):
					continue
				case err != nil:
					t.Error(err)
					return
				}
				mu.Lock()
				claimed[m.Token.ID]++
				mu.Unlock()
				return
			}
		})
	}
	wg.Wait()
	for id, n := range claimed {
		if n != 1 {
			t.Errorf("token %s claimed %d times", id, n)
		}
	}
	if len(claimed) != tokens {
		t.Errorf("%d tokens claimed, want %d", len(claimed), tokens)
	}
}

// TestRevokeHammer revokes while others claim: no claim succeeds that began after Revoke returned.
func TestRevokeHammer(t *testing.T) {
	r := newRig(t)
	procs := []*Tokens{r.Tokens, r.open(Options{}), r.open(Options{})}
	for round := range 30 {
		k := r.mint(Request{Resource: "kv:a"})
		revoked := make(chan struct{})
		var wg sync.WaitGroup
		for i := range 12 {
			wg.Go(func() {
				for {
					over := false
					select {
					case <-revoked:
						over = true
					default:
					}
					m, err := procs[i%3].Find(ctx, "alice", "c", "kv:a")
					if err == nil {
						err = m.Claim(ctx)
					}
					if over {
						if err == nil {
							t.Errorf("round %d: claimed after the revocation", round)
						}
						return
					}
				}
			})
		}
		if err := procs[round%3].Revoke(ctx, "alice", k.ID, "x"); err != nil {
			t.Fatal(err)
		}
		close(revoked)
		wg.Wait()
	}
}

// TestStoredTokensAreNotBelieved changes what the store holds.
func TestStoredTokensAreNotBelieved(t *testing.T) {
	for name, change := range map[string]func(b string) string{
		"wider":           func(b string) string { return strings.Replace(b, "kv:a", "kv:*", 1) },
		"longer":          func(b string) string { return strings.Replace(b, `"expires_at":"2026`, `"expires_at":"2036`, 1) },
		"other principal": func(b string) string { return strings.Replace(b, `"bob"`, `"alice"`, 1) },
		"version 1":       func(b string) string { return strings.Replace(b, `"v":2`, `"v":1`, 1) },
		"no JSON":         func(b string) string { return b[1:] },
	} {
		r := newRig(t)
		principal := "alice"
		if name == "other principal" {
			principal = "bob"
		}
		k := r.mint(Request{Principal: principal, Resource: "kv:a", TTL: time.Hour})
		good := r.mint(Request{Resource: "kv:b"})
		raw, err := r.store.Get(ctx, tokenKey(principal, k.ID))
		if err != nil {
			t.Fatal(err)
		}
		bad := change(string(raw))
		if bad == string(raw) {
			t.Fatalf("%s: changed nothing in %s", name, raw)
		}
		r.store.Put(ctx, tokenKey("alice", k.ID), []byte(bad))
		tk := r.open(Options{})
		if m, err := tk.Find(ctx, "alice", "c", "kv:a"); err == nil {
			t.Errorf("%s: found %+v", name, m.Token)
		}
		if m, err := tk.Find(ctx, "alice", "c", "kv:b"); err != nil || m.Token.ID != good.ID {
			t.Errorf("%s: it hides a good token: %v", name, err)
		}
		i, err := tk.Show(ctx, "alice", k.ID)
		if err != nil || i.Status != Invalid || i.Problem == "" {
			t.Errorf("%s: info %+v, %v", name, i, err)
		}
		if err := tk.Revoke(ctx, "alice", k.ID, "bad"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestIssuers accepts an earlier key if it is trusted, and no other.
func TestIssuers(t *testing.T) {
	r := newRig(t)
	r.mint(Request{Resource: "kv:a"})
	b := seed()
	b[0] = 99
	now, err := NewKey(b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.open(Options{Signer: now}).Find(ctx, "alice", "c", "kv:a"); !errors.Is(err, ErrNotFound) {
		t.Errorf("foreign issuer: %v", err)
	}
	old := r.open(Options{Signer: now, Trusted: []ed25519.PublicKey{vectorKey(t).Public()}})
	if _, err := old.Find(ctx, "alice", "c", "kv:a"); err != nil {
		t.Errorf("earlier key: %v", err)
	}
}

func TestMintRefuses(t *testing.T) {
	r := newRig(t)
	ok := Request{Principal: "alice", Capsule: "c", Resource: "kv:a", AuditID: uuid.New()}
	for name, change := range map[string]func(*Request){
		"principal":   func(q *Request) { q.Principal = "a/b" },
		"capsule":     func(q *Request) { q.Capsule = "A" },
		"pattern":     func(q *Request) { q.Resource = "fs:read:///../x" },
		"permission":  func(q *Request) { q.Permissions = []Permission{"all"} },
		"permissions": func(q *Request) { q.Permissions = make([]Permission, 17) },
		"scope":       func(q *Request) { q.Scope = "forever" },
		"audit entry": func(q *Request) { q.AuditID = uuid.Nil },
		"expiry":      func(q *Request) { q.TTL = -100 * 365 * 24 * time.Hour },
	} {
		q := ok
		change(&q)
		if _, err := r.Mint(ctx, q); !errors.Is(err, ErrToken) && !errors.Is(err, ErrPattern) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if l, _ := r.List(ctx, "alice"); len(l) != 0 {
		t.Errorf("refused requests left %v", l)
	}
	closed := vectorKey(t)
	closed.Close()
	if _, err := r.open(Options{Signer: closed}).Mint(ctx, ok); !errors.Is(err, ErrKeyClosed) {
		t.Errorf("closed key: %v", err)
	}
}

// brokenStore fails the operations of which the key has a prefix.
type brokenStore struct {
	*MemStore
	bad string
}

var errDisk = errors.New("disk")

func (s *brokenStore) Get(ctx context.Context, key string) ([]byte, error) {
	if s.bad != "" && strings.HasPrefix(key, s.bad) {
		return nil, errDisk
	}
	return s.MemStore.Get(ctx, key)
}

func (s *brokenStore) CompareAndSwap(ctx context.Context, key string, old, new []byte) error {
	if s.bad != "" && strings.HasPrefix(key, s.bad) {
		return errDisk
	}
	return s.MemStore.CompareAndSwap(ctx, key, old, new)
}

// TestStoreFails: no token without a store that can be read.
func TestStoreFails(t *testing.T) {
	for _, bad := range []string{epochPrefix, usedPrefix} {
		r := newRig(t)
		b := &brokenStore{MemStore: r.store}
		r.mint(Request{Resource: "kv:a", SingleUse: true})
		tk := r.open(Options{Store: b})
		m, err := tk.Find(ctx, "alice", "c", "kv:a")
		if err != nil {
			t.Fatal(err)
		}
		b.bad = bad
		if _, err := tk.Find(ctx, "alice", "c", "kv:a"); !errors.Is(err, errDisk) {
			t.Errorf("%s: Find: %v", bad, err)
		}
		if err := m.Claim(ctx); !errors.Is(err, errDisk) {
			t.Errorf("%s: Claim: %v", bad, err)
		}
	}
}

// TestMemStore is the contract of a Store.
func TestMemStore(t *testing.T) {
	s := NewMemStore()
	if _, err := s.Get(ctx, "a"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	for i, tt := range []struct {
		old, new []byte
		ok       bool
	}{
		{[]byte("x"), []byte("y"), false}, {nil, []byte("1"), true}, {nil, []byte("2"), false},
		{[]byte("0"), []byte("2"), false}, {[]byte("1"), []byte("2"), true}, {[]byte("1"), nil, false}, {[]byte("2"), nil, true}, {nil, []byte("3"), true},
	} {
		err := s.CompareAndSwap(ctx, "a", tt.old, tt.new)
		if tt.ok && err != nil || !tt.ok && !errors.Is(err, fs.ErrExist) {
			t.Errorf("swap %d: %v", i, err)
		}
	}
	s.Put(ctx, "b/1", nil)
	s.Put(ctx, "ab", nil)
	if l, _ := s.List(ctx, "a"); fmt.Sprint(l) != "[a ab]" {
		t.Error(l)
	}
	s.Delete(ctx, "a")
	if l, _ := s.List(ctx, ""); fmt.Sprint(l) != "[ab b/1]" {
		t.Error(l)
	}
}

// BenchmarkFind is what the token layer costs with a hundred tokens.
func BenchmarkFind(b *testing.B) {
	r := newRig(b)
	for i := range 100 {
		r.mint(Request{Capsule: "files", Resource: fmt.Sprintf("fs:read:///ws/%d/**", i)})
	}
	for b.Loop() {
		m, err := r.Find(ctx, "alice", "files", "fs:read:///ws/57/a/b/c.txt")
		if err != nil || m.Claim(ctx) != nil {
			b.Fatal(err)
		}
	}
}
