package identity_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/unicity-astrid/astrid-go/kernel/identity"
)

var ctx = context.Background()

var created = time.Date(2026, 3, 1, 12, 0, 0, 500, time.FixedZone("", 3600))

func newStore(t *testing.T) (*identity.Store, *memKV) {
	t.Helper()
	kv := &memKV{vals: map[string]string{}}
	return identity.New(kv, identity.Options{Now: func() time.Time { return created }}), kv
}

func mustUser(t *testing.T, s *identity.Store, name string) identity.User {
	t.Helper()
	u, err := s.CreateUser(ctx, name)
	if err != nil {
		t.Fatalf("CreateUser(%q): %v", name, err)
	}
	return u
}

func TestCreateUser(t *testing.T) {
	s, kv := newStore(t)
	u := mustUser(t, s, "  Josh Bouw ")
	if u.Principal != "josh-bouw" || *u.DisplayName != "Josh Bouw" || u.String() != "Josh Bouw("+u.ID.String()[:8]+")" {
		t.Errorf("user is %+v", u)
	}
	if got, err := s.User(ctx, u.ID); err != nil || got.String() != u.String() || !got.CreatedAt.Equal(created) {
		t.Errorf("read back %v, %v", got, err)
	}
	if got, err := s.UserByName(ctx, " Josh Bouw"); err != nil || got.ID != u.ID {
		t.Errorf("by name: %v, %v", got, err)
	}
	want := `{"id":"` + u.ID.String() + `","principal":"josh-bouw","public_key":null,"display_name":"Josh Bouw","created_at":"2026-03-01T11:00:00.0000005Z"}`
	if got := kv.vals["user/"+u.ID.String()]; got != want {
		t.Errorf("record is %s", got)
	}
	anon := mustUser(t, s, " ")
	if short := anon.ID.String()[:8]; anon.DisplayName != nil || anon.Principal != "user-"+short || anon.String() != "user:"+short {
		t.Errorf("without a name: %+v", anon)
	}
	for _, id := range []uuid.UUID{uuid.New(), uuid.Nil} {
		if _, err := s.User(ctx, id); !errors.Is(err, identity.ErrUserNotFound) || !strings.Contains(err.Error(), "user not found: "+id.String()) {
			t.Errorf("unknown: %v", err)
		}
	}
	for _, name := range []string{"", " ", "nobody", "josh bouw"} {
		if _, err := s.UserByName(ctx, name); !errors.Is(err, identity.ErrUserNotFound) {
			t.Errorf("by name %q: %v", name, err)
		}
	}
	if all, err := s.Users(ctx); err != nil || len(all) != 2 {
		t.Errorf("users are %v, %v", all, err)
	}
}

// TestPrincipals: names that derive to the same principal still give different ones.
func TestPrincipals(t *testing.T) {
	s, _ := newStore(t)
	seen := map[string]bool{"default": true}
	for _, c := range []struct{ name, want string }{
		{"Alice", "alice"},
		{"alice", "alice-########"},
		{"ALICE", "alice-########"},
		{"alice@example.com", "alice-example-com"},
		{"a--b__c-", "a-b__c"},
		{"default", "default-########"},
		{"Default!", "default-########"},
		{"ユーザー", "user-########"},
		{"---", "user-########"},
		{"ünï", "n"},
		{strings.Repeat("a", 100), strings.Repeat("a", 64)},
		{strings.Repeat("a", 101), strings.Repeat("a", 55) + "-########"},
		{strings.Repeat("a", 63) + " b", strings.Repeat("a", 63)},
	} {
		u := mustUser(t, s, c.name)
		want := "^" + strings.ReplaceAll(regexp.QuoteMeta(c.want), "########", u.ID.String()[:8]) + "$"
		if !regexp.MustCompile(want).MatchString(u.Principal) || len(u.Principal) > 64 || seen[u.Principal] {
			t.Errorf("%.20q got principal %q, want %q", c.name, u.Principal, c.want)
		}
		seen[u.Principal] = true
	}
}

// TestNamesStayWithTheFirst: a newcomer of the same name gets neither the name's index nor the principal.
func TestNamesStayWithTheFirst(t *testing.T) {
	s, _ := newStore(t)
	first, second := mustUser(t, s, "Ann"), mustUser(t, s, "Ann")
	if got, _ := s.UserByName(ctx, "Ann"); got.ID != first.ID || first.Principal == second.Principal {
		t.Errorf("Ann is %v; principals %s and %s", got, first.Principal, second.Principal)
	}
}

func TestLinks(t *testing.T) {
	s, _ := newStore(t)
	a, b := mustUser(t, s, "a"), mustUser(t, s, "b")
	if _, err := s.Resolve(ctx, "discord", "1"); !errors.Is(err, identity.ErrNotLinked) {
		t.Errorf("unlinked: %v", err)
	}
	l, err := s.Link(ctx, " Discord ", "1", a.ID, "chat")
	if err != nil || l.Platform != "discord" || l.LinkedAtText() != "2026-03-01T11:00:00.0000005+00:00" {
		t.Fatalf("Link = %+v, %v", l, err)
	}
	for _, platform := range []string{"discord", "DISCORD", "\tDiscord\n"} {
		if u, err := s.Resolve(ctx, platform, "1"); err != nil || u.ID != a.ID {
			t.Errorf("Resolve(%q) = %v, %v", platform, u, err)
		}
	}
	if _, err := s.Resolve(ctx, "discord", "1 "); !errors.Is(err, identity.ErrNotLinked) {
		t.Errorf("account ids are exact: %v", err)
	}
	s.Link(ctx, "telegram", "2", a.ID, "chat")
	s.Link(ctx, "discord", "1", b.ID, "chat") // moves
	if u, _ := s.Resolve(ctx, "discord", "1"); u.ID != b.ID {
		t.Errorf("after moving: %v", u)
	}
	for user, want := range map[uuid.UUID]string{a.ID: "telegram/2 ", b.ID: "discord/1 ", uuid.New(): ""} {
		links, err := s.Links(ctx, user)
		got := ""
		for _, l := range links {
			got += l.Platform + "/" + l.PlatformUserID + " "
		}
		if err != nil || links == nil || got != want {
			t.Errorf("links are %q, %v; want %q", got, err, want)
		}
	}
	for i, want := range []bool{true, false} {
		if removed, err := s.Unlink(ctx, "Discord", "1"); err != nil || removed != want {
			t.Errorf("Unlink %d = %v, %v", i, removed, err)
		}
	}
	if l, err := s.Link(ctx, "discord", "9", a.ID, "oauth/v2"); err != nil || l.Method != "oauth/v2" {
		t.Errorf("a method with a slash: %v", err)
	}
	if _, err := s.Link(ctx, "discord", "1", uuid.New(), "chat"); !errors.Is(err, identity.ErrUserNotFound) {
		t.Errorf("linking to nobody: %v", err)
	}
}

// TestResolveGoneUser: a link whose user was removed resolves to nobody.
func TestResolveGoneUser(t *testing.T) {
	s, kv := newStore(t)
	u := mustUser(t, s, "a")
	s.Link(ctx, "discord", "1", u.ID, "chat")
	delete(kv.vals, "user/"+u.ID.String())
	if _, err := s.Resolve(ctx, "discord", "1"); !errors.Is(err, identity.ErrNotLinked) {
		t.Errorf("got %v", err)
	}
}

func TestInvalid(t *testing.T) {
	s, _ := newStore(t)
	u := mustUser(t, s, "a")
	long := strings.Repeat("x", 257)
	for _, c := range []struct{ platform, account, method, want string }{
		{"", "1", "m", "invalid input: platform must not be empty"},
		{" \t", "1", "m", "invalid input: platform must not be empty"},
		{"a/b", "1", "m", "invalid input: platform must not contain '/' or null bytes"},
		{"a\x00b", "1", "m", "invalid input: platform must not contain '/' or null bytes"},
		{"p", " ", "m", "invalid input: platform_user_id must not be empty"},
		{"p", "1/2", "m", "invalid input: platform_user_id must not contain '/' or null bytes"},
		{"p", "1\x00", "m", "invalid input: platform_user_id must not contain '/' or null bytes"},
		{"p", "1\n2", "m", "invalid input: platform_user_id must not contain control characters"},
		{"p", long, "m", "invalid input: platform_user_id exceeds 256 bytes"},
		{"p", "1", " ", "invalid input: method must not be empty"},
	} {
		_, err := s.Link(ctx, c.platform, c.account, u.ID, c.method)
		if !errors.Is(err, identity.ErrInvalid) || err.Error() != c.want {
			t.Errorf("Link(%q, %.10q, %q): %v, want %q", c.platform, c.account, c.method, err, c.want)
		}
		if c.method == " " {
			continue
		}
		if _, err := s.Resolve(ctx, c.platform, c.account); !errors.Is(err, identity.ErrInvalid) {
			t.Errorf("Resolve(%q, %.10q): %v", c.platform, c.account, err)
		}
		if _, err := s.Unlink(ctx, c.platform, c.account); !errors.Is(err, identity.ErrInvalid) {
			t.Errorf("Unlink(%q, %.10q): %v", c.platform, c.account, err)
		}
	}
	for _, name := range []string{"a/b", "a\x00b", "a\x1bb", long} {
		if _, err := s.CreateUser(ctx, name); !errors.Is(err, identity.ErrInvalid) || !strings.Contains(err.Error(), "display_name") {
			t.Errorf("CreateUser(%.10q): %v", name, err)
		}
	}
}

func TestEnsureRoot(t *testing.T) {
	s, _ := newStore(t)
	root, err := s.EnsureRoot(ctx)
	if err != nil || *root.DisplayName != "root" || root.Principal != "default" {
		t.Fatalf("root is %+v, %v", root, err)
	}
	again, err := s.EnsureRoot(ctx)
	if err != nil || again.ID != root.ID {
		t.Errorf("the second boot makes %v, %v", again, err)
	}
	links, _ := s.Links(ctx, root.ID)
	if len(links) != 1 || links[0].Platform != "cli" || links[0].PlatformUserID != "local" || links[0].Method != "system" {
		t.Errorf("links are %+v", links)
	}
	if fake := mustUser(t, s, "root"); fake.Principal == root.Principal {
		t.Error("another root shares the principal")
	}
}

func TestApply(t *testing.T) {
	s, _ := newStore(t)
	root, _ := s.EnsureRoot(ctx)
	wanted := []identity.Wanted{
		{Platform: "Discord", PlatformUserID: "1", AstridUser: root.ID.String(), Method: "admin", Source: "c:1"},
		{Platform: "discord", PlatformUserID: "2", AstridUser: "newcomer", Method: "admin", Source: "c:2"},
		{Platform: "discord", PlatformUserID: "3", AstridUser: uuid.NewString(), Method: "admin", Source: "c:3"},
		{Platform: "", PlatformUserID: "4", AstridUser: "ghost", Method: "admin", Source: "c:4"},
		{Platform: "discord", PlatformUserID: "5", AstridUser: "newcomer", Method: "admin", Source: "c:5"},
		{Platform: "discord", PlatformUserID: "6", AstridUser: "", Method: "admin", Source: "c:6"},
	}
	for boot := range 2 {
		errs := s.Apply(ctx, wanted)
		if len(errs) != 3 || !strings.HasPrefix(errs[0].Error(), "c:3: link discord/3 to ") || !errors.Is(errs[0], identity.ErrUserNotFound) ||
			!errors.Is(errs[1], identity.ErrInvalid) || !errors.Is(errs[2], identity.ErrUserNotFound) {
			t.Errorf("boot %d: %v", boot, errs)
		}
		n, err := s.UserByName(ctx, "newcomer")
		if err != nil {
			t.Fatal(err)
		}
		for account, want := range map[string]uuid.UUID{"1": root.ID, "2": n.ID, "5": n.ID} {
			if u, err := s.Resolve(ctx, "discord", account); err != nil || u.ID != want {
				t.Errorf("boot %d: account %s is %v, %v", boot, account, u, err)
			}
		}
		if all, _ := s.Users(ctx); len(all) != 2 {
			t.Errorf("boot %d: users are %v", boot, all)
		}
	}
}

// TestHammer creates namesakes and links and unlinks one account from many goroutines.
func TestHammer(t *testing.T) {
	s, _ := newStore(t)
	var mu sync.Mutex
	principals := map[string]bool{}
	removed := 0
	u := mustUser(t, s, "linked")
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			n, err := s.CreateUser(ctx, "Same Name")
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			principals[n.Principal] = true
			mu.Unlock()
			if i%2 == 0 {
				_, err = s.Link(ctx, "p", "1", u.ID, "m")
			} else {
				var ok bool
				if ok, err = s.Unlink(ctx, "p", "1"); ok {
					mu.Lock()
					removed++
					mu.Unlock()
				}
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(principals) != 32 {
		t.Errorf("32 namesakes have %d principals", len(principals))
	}
	if removed > 16 {
		t.Errorf("%d removals of at most 16 links", removed)
	}
}

func FuzzUserRecord(f *testing.F) {
	id := uuid.NewString()
	for _, s := range []string{"", "null", "{}", `{"id":"` + id + `"}`, `{"id":"` + id + `","public_key":"AAAA"}`, `{"id":3}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		kv := &memKV{vals: map[string]string{"user/" + id: string(raw)}}
		u, err := identity.New(kv, identity.Options{}).User(ctx, uuid.MustParse(id))
		if err != nil {
			return
		}
		if n := len(u.PublicKey); n != 0 && n != 32 {
			t.Errorf("a key of %d bytes was read", n)
		}
		if !json.Valid(raw) {
			t.Errorf("%q was read", raw)
		}
		_ = u.String()
	})
}

// TestLegacyRecord: a record without a principal means the default one.
func TestLegacyRecord(t *testing.T) {
	id := uuid.New()
	kv := &memKV{vals: map[string]string{"user/" + id.String(): fmt.Sprintf(`{"id":%q,"public_key":null,"display_name":null,"created_at":"2026-01-01T00:00:00+00:00"}`, id)}}
	if u, err := identity.New(kv, identity.Options{}).User(ctx, id); err != nil || u.Principal != "default" {
		t.Errorf("%+v, %v", u, err)
	}
}
