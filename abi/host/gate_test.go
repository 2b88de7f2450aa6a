package host

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/audit"
)

// gateCase is one effect that the gate must decide.
type gateCase struct {
	params   []string // $URL is a loopback server
	effect   string   // what the rig notes when it happens
	resource string   // of the audit entry
	unbound  string   // the same when the manifest refuses, if that differs
	own      bool     // needs no declaration in the manifest
	answers  bool     // a refusal is an answer, not an error
	priced   bool     // can cost something
	free     bool     // no mode asks a human
	prepare  func(*gateRun)
}

var gateCases = map[abi.Function]gateCase{
	abi.FsExists:        {params: []string{"home://a"}, effect: "effect stat", resource: "fs:read://$HOME/a"},
	abi.FsMkdir:         {params: []string{"home://d"}, effect: "effect mkdir", resource: "fs:write://$HOME/d"},
	abi.FsReaddir:       {params: []string{"home://"}, effect: "effect readdir", resource: "fs:read://$HOME"},
	abi.FsStat:          {params: []string{"home://a"}, effect: "effect stat", resource: "fs:read://$HOME/a"},
	abi.FsUnlink:        {params: []string{"home://a"}, effect: "effect remove", resource: "fs:delete://$HOME/a"},
	abi.ReadFile:        {params: []string{"home://a"}, effect: "effect read", resource: "fs:read://$HOME/a"},
	abi.WriteFile:       {params: []string{"home://b", "x"}, effect: "effect write", resource: "fs:write://$HOME/b"},
	abi.HTTPRequestFn:   {params: []string{`{"url":"$URL/p?key=secret","cost_usd":5}`}, effect: "effect http", resource: "net:$URL/p", priced: true},
	abi.HTTPStreamStart: {params: []string{`{"url":"$URL/p?key=secret","cost_usd":5}`}, effect: "effect http", resource: "net:$URL/p", priced: true},
	abi.NetBindUnix:     {params: []string{"/any/box.sock"}, effect: "effect bind", resource: "net:bind:guest/box"},
	abi.NetAccept:       {params: []string{"1"}, resource: "net:bind:guest/box", prepare: knocked},
	abi.NetPollAccept:   {params: []string{"1"}, resource: "net:bind:guest/box", prepare: knocked},
	abi.Elicit:          {params: []string{`{"type":"text","key":"k"}`}, effect: "effect ask", resource: "elicit:k", own: true, free: true, prepare: installing},
	abi.IdentityResolve: {params: []string{`{"platform":"Chat ","platform_user_id":"7"}`}, effect: "effect resolve", resource: "identity:resolve:chat/7"},
	abi.IdentityLink: {params: []string{`{"platform":"chat","platform_user_id":"7","astrid_user_id":"` + userID + `","method":"m"}`},
		effect: "effect link", resource: "identity:link:chat/7/" + userID},
	abi.IdentityUnlink:      {params: []string{`{"platform":"chat","platform_user_id":"7"}`}, effect: "effect unlink", resource: "identity:unlink:chat/7"},
	abi.IdentityCreateUser:  {params: []string{`{"display_name":"Ida"}`}, effect: "effect create", resource: "identity:create:Ida"},
	abi.IdentityListLinks:   {params: []string{`{"astrid_user_id":"` + userID + `"}`}, effect: "effect list", resource: "identity:list:" + userID},
	abi.RequestApproval:     {params: []string{`{"action":"launch","resource":"rocket","risk_level":"high"}`}, resource: "ask:launch:rocket", own: true, answers: true},
	abi.SpawnHost:           {params: []string{`{"cmd":"cat","args":["-"],"stdin":"x"}`}, effect: "effect spawn", resource: "exec:///programs/cat - <<< x", unbound: "exec://cat - <<< x"},
	abi.SpawnBackgroundHost: {params: []string{`{"cmd":"true"}`}, effect: "effect spawn", resource: "exec:///programs/true", unbound: "exec://true"},
}

// messageCases are the rows whose allowed calls are counted and whose refusals are recorded.
var messageCases = map[abi.Function]gateCase{
	abi.IpcPublish:     {params: []string{"t.v1.a", "{}"}, effect: "effect publish", resource: "ipc:publish:t.v1.a"},
	abi.IpcSubscribe:   {params: []string{"t.v1.a"}, resource: "ipc:subscribe:t.v1.a"},
	abi.UplinkRegister: {params: []string{"n", "Chat", "human"}, resource: "uplink:register:chat/n"},
	abi.UplinkSend:     {params: []string{"up", "7", "hello"}, effect: "effect publish", resource: "uplink:send:chat/n", prepare: registered},
	abi.TriggerHook:    {params: []string{`{"hook":"t.v1.h","payload":{}}`}, effect: "effect trigger", resource: "hook:t.v1.h"},
}

// knocked gives the instance a socket that somebody has connected to.
func knocked(r *gateRun) {
	here, there := net.Pipe()
	l := &netListener{name: "box", principal: "default", next: here, close: func() {}}
	if _, err := r.g.inst.addListener(l); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = errors.Join(here.Close(), there.Close()) })
}

func installing(r *gateRun) { r.g.call.Lifecycle = true }

func registered(r *gateRun) {
	must(r.t, r.g.inst.addUplink(&uplink{id: "up", name: "n", platform: "chat", profile: "chat"}))
}

// TestEveryRow: each of the 49 has a test of its decision, or none to take.
func TestEveryRow(t *testing.T) {
	r := newRig(t, rigOptions{})
	for fn := range abi.FunctionCount {
		row := &r.host.table[fn]
		if (row.plan != nil) == (row.plain != nil) {
			t.Errorf("%s: want one of plan and plain", fn)
		}
		_, isGuarded := gateCases[fn]
		_, isMessage := messageCases[fn]
		switch {
		case row.class == approval.Guarded && (!isGuarded || row.plan == nil),
			row.class == approval.Message && (!isMessage || row.plan == nil),
			row.class == approval.Plain && (isGuarded || isMessage || row.plan != nil):
			t.Errorf("%s: its class and its case do not fit", fn)
		}
	}
}

// gateRun is one call of one row under one policy.
type gateRun struct {
	*rig
	g    *guest
	c    gateCase
	fn   abi.Function
	urls *strings.Replacer
}

func newGateRun(t *testing.T, fn abi.Function, c gateCase, o rigOptions, declare bool) *gateRun {
	t.Helper()
	if o.rules.Mode == 0 {
		o.rules.ModeSource = "config.toml:3"
	}
	r := newRig(t, o)
	must(t, os.WriteFile(filepath.Join(r.home, "a"), []byte("content"), 0o600))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		r.note("effect http")
		_, _ = w.Write([]byte("hello"))
	}))
	t.Cleanup(srv.Close)
	u, err := url.Parse(srv.URL)
	must(t, err)
	port, err := strconv.Atoi(u.Port())
	must(t, err)
	grants := Grants{Source: "Capsule.toml:7"}
	if declare {
		grants = everythingGrants()
		grants.Net = []NetRule{netRule{u.Hostname(), port, true}}
	}
	run := &gateRun{rig: r, g: r.guest(newCapsule(grants)), c: c, fn: fn, urls: strings.NewReplacer("$URL", srv.URL, "$HOME", r.home)}
	if c.prepare != nil {
		c.prepare(run)
	}
	return run
}

func (r *gateRun) call() ([]byte, *abi.Error) {
	r.t.Helper()
	var params []string
	for _, p := range r.c.params {
		params = append(params, r.urls.Replace(p))
	}
	return r.g.do(r.fn, params...)
}

// wantRefused checks that nothing happened, that the guest was told who refused, and
// that exactly one signed entry says so.
func (r *gateRun) wantRefused(code abi.Code, layer string, verdict audit.Verdict) {
	r.t.Helper()
	out, err := r.call()
	switch {
	case r.c.answers && code != abi.CodeAudit:
		var a abi.ApprovalAnswer
		if err != nil || json.Unmarshal(out, &a) != nil || a.Approved || a.Decision != abi.DecisionDeny {
			r.t.Errorf("answer %s %v, want a refusal", out, err)
		}
	case err == nil:
		r.t.Errorf("allowed: %q", out)
	case err.Code != code || !strings.Contains(err.Message, layer):
		r.t.Errorf("%s: %s, want %s by %s", err.Code, err.Message, code, layer)
	}
	for _, e := range r.history() {
		if strings.HasPrefix(e, "effect") {
			r.t.Errorf("the effect happened: %q", r.history())
		}
	}
	if n := r.g.inst.openConns(); n > 0 {
		r.t.Errorf("%d connections were accepted", n)
	}
	all := r.decisions("default")
	if code == abi.CodeAudit {
		if len(all) != 0 {
			r.t.Errorf("%d entries in a log that fails", len(all))
		}
		return
	}
	if len(all) != 1 {
		r.t.Fatalf("%d decision entries, want 1", len(all))
	}
	r.wantEntry(all[0], layer, verdict)
}

func (r *gateRun) wantEntry(e audit.Entry, layer string, verdict audit.Verdict) {
	r.t.Helper()
	if want := r.urls.Replace(r.c.resource); e.Resource != want || e.Verdict != verdict || e.Layer != layer ||
		e.Function != r.fn.String() || e.Capsule != "guest" || e.Session != "s1" || e.Principal != "default" {
		r.t.Errorf("entry %s\nwant %s by %s of %s", e.Line(), verdict, layer, want)
	}
	if strings.Contains(string(e.Line()), "secret") {
		r.t.Errorf("the query of a request is in the audit log: %s", e.Line())
	}
}

// TestGate: for every function with an effect, no layer's refusal lets the effect happen,
// and a decision is recorded before its effect.
func TestGate(t *testing.T) {
	autonomous := approval.Rules{Mode: approval.Autonomous}
	for _, fn := range sorted(gateCases) {
		c := gateCases[fn]
		t.Run(strings.TrimPrefix(fn.String(), "astrid_"), func(t *testing.T) {
			t.Run("policy", func(t *testing.T) {
				o := rigOptions{rules: approval.Rules{Mode: approval.Autonomous, BlockedCapsules: []approval.Rule{{Value: "guest", Source: "config.toml:9"}}}}
				newGateRun(t, fn, c, o, true).wantRefused(abi.CodeDenied, approval.LayerPolicy, audit.Deny)
			})
			if !c.free {
				t.Run("nobody there", func(t *testing.T) {
					r := newGateRun(t, fn, c, rigOptions{}, true)
					r.wantRefused(abi.CodeDeferred, approval.LayerApproval, audit.Defer)
					if n := len(r.gate.Approvals().Pending("default")); n != 1 {
						t.Errorf("%d requests are queued", n)
					}
				})
			}
			t.Run("audit fails", func(t *testing.T) {
				r := newGateRun(t, fn, c, rigOptions{rules: autonomous}, true)
				r.auditor.fail = true
				r.wantRefused(abi.CodeAudit, approval.LayerAudit, "")
			})
			if !c.own {
				t.Run("not declared", func(t *testing.T) {
					c := c
					if c.unbound != "" {
						c.resource = c.unbound
					}
					newGateRun(t, fn, c, rigOptions{rules: autonomous}, false).wantRefused(abi.CodeDenied, approval.LayerManifest, audit.Deny)
				})
			}
			if c.priced {
				t.Run("budget", func(t *testing.T) {
					o := rigOptions{rules: autonomous, limits: approval.Limits{PerActionMax: 1_000_000}}
					newGateRun(t, fn, c, o, true).wantRefused(abi.CodeBudget, approval.LayerBudget, audit.Deny)
				})
			}
			t.Run("allowed", func(t *testing.T) {
				r := newGateRun(t, fn, c, rigOptions{rules: autonomous}, true)
				if _, err := r.call(); err != nil {
					t.Fatal(err)
				}
				want := []string{"decided " + fn.String()}
				if c.effect != "" {
					want = append(want, c.effect)
				}
				if got := r.history(); !slices.Equal(got, want) {
					t.Errorf("history %q, want %q", got, want)
				}
				all := r.decisions("default")
				if len(all) != 1 {
					t.Fatalf("%d decision entries, want 1", len(all))
				}
				r.wantEntry(all[0], approval.LayerPolicy, audit.Allow)
			})
		})
	}
}

// TestMessages: refusals are recorded, what is allowed is only counted.
func TestMessages(t *testing.T) {
	for _, fn := range sorted(messageCases) {
		c := messageCases[fn]
		t.Run(strings.TrimPrefix(fn.String(), "astrid_"), func(t *testing.T) {
			t.Run("policy", func(t *testing.T) {
				o := rigOptions{rules: approval.Rules{BlockedCapsules: []approval.Rule{{Value: "guest"}}}}
				newGateRun(t, fn, c, o, true).wantRefused(abi.CodeDenied, approval.LayerPolicy, audit.Deny)
			})
			if !c.own {
				t.Run("not declared", func(t *testing.T) {
					newGateRun(t, fn, c, rigOptions{}, false).wantRefused(abi.CodeDenied, approval.LayerManifest, audit.Deny)
				})
			}
			t.Run("allowed", func(t *testing.T) {
				r := newGateRun(t, fn, c, rigOptions{}, true)
				if _, err := r.call(); err != nil {
					t.Fatal(err)
				}
				if len(r.decisions("default")) != 0 {
					t.Error("an allowed message has an entry")
				}
				if c.effect != "" && !slices.Contains(r.history(), c.effect) {
					t.Errorf("history %q lacks %s", r.history(), c.effect)
				}
			})
		})
	}
}

// TestPlainRefused: policy holds for calls that touch only the capsule's own state, too.
func TestPlainRefused(t *testing.T) {
	r := newRig(t, rigOptions{rules: approval.Rules{BlockedCapsules: []approval.Rule{{Value: "guest"}}}})
	g := r.guest(newCapsule(everythingGrants()))
	for fn := range abi.FunctionCount {
		row := &r.host.table[fn]
		if row.plain == nil {
			continue
		}
		g.refused(abi.CodeDenied, approval.LayerPolicy, fn, make([]string, len(row.params))...)
	}
	if len(r.store.m) != 0 || len(r.logs) != 0 {
		t.Errorf("something was done: %v %v", r.store.m, r.logs)
	}
}

// TestPanicIsSettled: a defect in an effect ends as an internal error with a recorded outcome.
func TestPanicIsSettled(t *testing.T) {
	r := newRig(t, rigOptions{rules: approval.Rules{Mode: approval.Autonomous}})
	r.host.table[abi.FsStat].plan = func(context.Context, *frame, [][]byte) (plan, error) {
		return plan{
			action: fileAction(approval.FSRead, location{abs: "/x"}, 0), bounds: own,
			do: func(context.Context, approval.Grant) ([]byte, error) { panic("defect with a secret") },
		}, nil
	}
	g := r.guest(newCapsule(everythingGrants()))
	_, err := g.do(abi.FsStat, "x")
	if err == nil || err.Code != abi.CodeInternal || strings.Contains(err.Message, "secret") {
		t.Errorf("%v", err)
	}
	if o := r.entries("default", audit.KindOutcome); len(o) != 1 || o[0].Outcome.Status != audit.Failure {
		t.Errorf("outcomes %v", o)
	}
}

func sorted(m map[abi.Function]gateCase) []abi.Function {
	var out []abi.Function
	for fn := range m {
		out = append(out, fn)
	}
	slices.Sort(out)
	return out
}
