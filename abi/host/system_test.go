package host

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/ipc"
)

func TestSystem(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC)
	r := newRig(t, rigOptions{now: func() time.Time { return now }})
	c := newCapsule(everythingGrants())
	ready := 0
	c.Ready = func() { ready++ }
	g := r.guest(c)
	g.want("1767323045006", abi.ClockMs)
	g.want("", abi.SignalReady)
	if ready != 1 {
		t.Errorf("ready %d times", ready)
	}
	g.want("hello", abi.GetConfig, "greeting")
	g.want("", abi.GetConfig, "\xff")
	g.want("[]", abi.GetInterceptorHandles)
	g.want(`{"allowed":true}`, abi.CheckCapsuleCapability, `{"source_uuid":"known","capability":"allow_prompt_injection"}`)
	g.want(`{"allowed":false}`, abi.CheckCapsuleCapability, `{"source_uuid":"known","capability":"root"}`)
	g.refused(abi.CodeInvalid, "want an object", abi.CheckCapsuleCapability, `null`)
	g.refused(abi.CodeInvalid, "capability", abi.CheckCapsuleCapability, `[]`)
}

// TestSecretSettings: a secret is the principal's own, else the one the capsule was installed with,
// and is never looked for under a name that is no secret.
func TestSecretSettings(t *testing.T) {
	r := newRig(t, rigOptions{})
	g := r.guest(newCapsule(everythingGrants()))
	g.want("default key", abi.GetConfig, "api_key")
	r.keys.m["default:guest:api_key"] = "of default"
	r.keys.m["default:guest:greeting"] = "not asked for"
	g.want("of default", abi.GetConfig, "api_key")
	g.want("hello", abi.GetConfig, "greeting")
	g.call = &Call{Principal: "alice"}
	g.want("of default", abi.GetConfig, "api_key")
	r.keys.m["alice:guest:api_key"] = "of alice"
	g.want("of alice", abi.GetConfig, "api_key")
	r.keys.err = errors.New("the keyring is locked")
	g.refused(abi.CodeIO, "keyring is locked", abi.GetConfig, "api_key")
	g.want("hello", abi.GetConfig, "greeting")
}

func TestCaller(t *testing.T) {
	r := newRig(t, rigOptions{})
	g := r.guest(newCapsule(everythingGrants()))
	g.want(`{"project_trusted":true}`, abi.GetCaller) // a hook: nobody sent it, and it is in a session
	g.call = &Call{Principal: "alice"}
	g.want("{}", abi.GetCaller)
	g.call = &Call{Principal: "alice", Session: "s7", Message: &ipc.Message{SourceID: "uuid-x", Principal: "forged", Session: "forged", Timestamp: time.Unix(0, 0).UTC()}}
	out, err := g.do(abi.GetCaller)
	if err != nil {
		t.Fatal(err)
	}
	var c abi.Caller
	must(t, json.Unmarshal(out, &c))
	if c.Principal != "alice" || c.SessionID != "s7" || c.UserID != "alice" || c.SourceID != "uuid-x" || c.Timestamp != "1970-01-01T00:00:00Z" {
		t.Errorf("%+v", c)
	}
}

func TestLog(t *testing.T) {
	r := newRig(t, rigOptions{})
	g := r.guest(newCapsule(everythingGrants()))
	g.call = &Call{Principal: "alice"}
	for _, level := range []string{"trace", "DEBUG", "warn", "Warning", "err", "error", "", "\xff", "info"} {
		g.want("", abi.Log, level, "text \xff")
	}
	want := []string{"DEBUG-4", "DEBUG", "WARN", "WARN", "ERROR", "ERROR", "INFO", "INFO", "INFO"}
	for i, w := range want {
		if r.logs[i] != "alice guest "+w+" text \ufffd" {
			t.Errorf("line %d: %q, want level %s", i, r.logs[i], w)
		}
	}
	// What a guest prints belongs to the call it prints it in.
	g.inst.Output(Enter(context.Background(), g.inst, g.call), "panic: \xff")
	g.inst.Output(context.Background(), "starting")
	if n := len(r.logs); r.logs[n-2] != "alice guest WARN panic: \ufffd" || r.logs[n-1] != "default guest WARN starting" {
		t.Errorf("%q", r.logs[n-2:])
	}
}

func TestRequestApproval(t *testing.T) {
	r := newRig(t, rigOptions{})
	g := r.guest(newCapsule(Grants{}))
	var asked approval.Request
	choice := approval.ApproveSession
	detach := r.gate.Approvals().Attach("default", func(e approval.Event) {
		if e.Type != approval.Asked {
			return
		}
		asked = e.Request
		must(t, r.gate.Approvals().Resolve(context.Background(), "default", e.Request.ID, approval.Decision{Choice: choice}))
	})
	defer detach()
	g.want(`{"approved":true,"decision":"approve_session"}`, abi.RequestApproval, `{"action":" rm:a%\u0007\n","resource":"b:c","risk_level":"low"}`)
	if asked.Resource != "ask:rm%3Aa%25:b:c" || asked.Risk != "medium" {
		t.Errorf("asked for %q, risk %s", asked.Resource, asked.Risk)
	}
	g.want(`{"approved":true,"decision":"allowance"}`, abi.RequestApproval, `{"action":"rm:a%","resource":"b:c","risk_level":"low"}`)
	// The same letters, cut elsewhere, are another question.
	choice = approval.Deny
	g.want(`{"approved":false,"decision":"deny"}`, abi.RequestApproval, `{"action":"rm","resource":"a%:b:c","risk_level":"low"}`)
	long := make([]byte, abi.MaxApprovalAction+1)
	for i := range long {
		long[i] = 'a'
	}
	g.refused(abi.CodeTooLarge, "257", abi.RequestApproval, `{"action":"`+string(long)+`","resource":"r","risk_level":"low"}`)
	g.refused(abi.CodeInvalid, "empty", abi.RequestApproval, `{"action":" ","resource":"r","risk_level":"low"}`)
	g.refused(abi.CodeInvalid, "empty", abi.RequestApproval, `{"action":"a","resource":"\n","risk_level":"low"}`)
	g.refused(abi.CodeInvalid, "approval", abi.RequestApproval, `"a"`)
}
