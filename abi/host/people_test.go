package host

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/audit"
)

func TestIdentity(t *testing.T) {
	r := newRig(t, rigOptions{rules: approval.Rules{Mode: approval.Autonomous}})
	g := r.guest(newCapsule(everythingGrants()))
	account := `{"platform":" Chat","platform_user_id":"7"`
	g.want(`{"found":false}`, abi.IdentityResolve, account+`}`)
	link := `{"platform":"chat","platform_user_id":"7","astrid_user_id":"` + userID + `","linked_at":"2026-01-02T03:04:05+00:00","method":"code"}`
	g.want(`{"ok":true,"link":`+link+`}`, abi.IdentityLink, account+`,"astrid_user_id":"`+userID+`","method":"code"}`)
	g.want(`{"found":true,"user_id":"`+userID+`","display_name":"Ida"}`, abi.IdentityResolve, account+`}`)
	g.want(`{"ok":true,"links":[`+link+`]}`, abi.IdentityListLinks, `{"astrid_user_id":"`+userID+`"}`)
	g.want(`{"ok":true,"removed":true}`, abi.IdentityUnlink, account+`}`)
	g.want(`{"ok":true,"removed":false}`, abi.IdentityUnlink, account+`}`)
	g.want(`{"ok":true,"links":[]}`, abi.IdentityListLinks, `{"astrid_user_id":"`+userID+`"}`)
	g.want(`{"ok":true,"user_id":"`+userID+`"}`, abi.IdentityCreateUser, `{"display_name":null}`)
	g.refused(abi.CodeNotFound, "user not found", abi.IdentityLink, account+`,"astrid_user_id":"`+strings.Replace(userID, "7", "8", 1)+`"}`)
	for _, bad := range []string{"", "x", strings.ToUpper(userID), "{" + userID + "}", "urn:uuid:" + userID} {
		raw, err := json.Marshal(abi.IdentityRequest{Platform: "chat", PlatformUserID: "7", AstridUserID: bad})
		must(t, err)
		g.refused(abi.CodeInvalid, "invalid UUID", abi.IdentityLink, string(raw))
		g.refused(abi.CodeInvalid, "invalid UUID", abi.IdentityListLinks, string(raw))
	}
	for _, fn := range []abi.Function{abi.IdentityResolve, abi.IdentityUnlink} {
		g.refused(abi.CodeInvalid, "platform must not be empty", fn, `{"platform":" ","platform_user_id":"7"}`)
		g.refused(abi.CodeInvalid, "must not contain '/'", fn, `{"platform":"chat","platform_user_id":"7/8"}`)
		g.refused(abi.CodeInvalid, "request", fn, `{`)
	}
	r.people.err = errors.New("storage error: disk full")
	g.refused(abi.CodeIO, "disk full", abi.IdentityResolve, account+`}`)
}

// TestIdentityLevels: a level includes those before it, and no capsule touches the accounts of the system.
func TestIdentityLevels(t *testing.T) {
	needs := map[abi.Function]int{abi.IdentityResolve: 0, abi.IdentityLink: 1, abi.IdentityUnlink: 1, abi.IdentityListLinks: 1, abi.IdentityCreateUser: 2}
	req := `{"platform":"chat","platform_user_id":"7","astrid_user_id":"` + userID + `","method":"m"}`
	for have := -1; have < len(identityLevels); have++ {
		r := newRig(t, rigOptions{rules: approval.Rules{Mode: approval.Autonomous}})
		grants := Grants{Source: "Capsule.toml:7"}
		if have >= 0 {
			grants.Identity = []string{identityLevels[have], "superuser"}
		}
		g := r.guest(newCapsule(grants))
		for fn, need := range needs {
			if need <= have {
				if _, err := g.do(fn, req); err != nil {
					t.Errorf("%s with %q: %v", fn, grants.Identity, err)
				}
				continue
			}
			g.refused(abi.CodeDenied, "not declared in manifest (has: ", fn, req)
		}
	}
	r := newRig(t, rigOptions{rules: approval.Rules{Mode: approval.Yolo}})
	g := r.guest(newCapsule(everythingGrants()))
	for _, fn := range []abi.Function{abi.IdentityLink, abi.IdentityUnlink} {
		g.refused(abi.CodeDenied, "belong to the system", fn, strings.Replace(req, "chat", " CLI ", 1))
	}
	if d := r.decisions("default"); len(d) != 2 || d[0].Verdict != audit.Deny {
		t.Errorf("attempts on the system's accounts are not recorded: %v", d)
	}
}

func TestUplink(t *testing.T) {
	r := newRig(t, rigOptions{})
	g := r.guest(newCapsule(everythingGrants()))
	id, e := g.do(abi.UplinkRegister, "Front", "Chat ", "HUMAN")
	if e != nil || len(id) != 36 {
		t.Fatalf("%q %v", id, e)
	}
	g.refused(abi.CodeExists, "duplicate", abi.UplinkRegister, "Front", "chat", "notify")
	g.refused(abi.CodeDenied, "belong to the system", abi.UplinkRegister, "Front", " CLI\n", "chat") // or it could speak for whoever runs the daemon
	g.refused(abi.CodeInvalid, "invalid uplink profile", abi.UplinkRegister, "n", "chat", "robot")
	g.refused(abi.CodeInvalid, "needs a name", abi.UplinkRegister, "\n", "chat", "chat")
	g.refused(abi.CodeHandle, "not registered", abi.UplinkSend, userID, "7", "x")
	g.refused(abi.CodeInvalid, "must not be empty", abi.UplinkSend, string(id), " ", "x")

	// Of an account that is somebody's, the message is that user's; of any other it is nobody's.
	g.want(`{"ok":true}`, abi.UplinkSend, string(id), "linked", "hello")
	g.want(`{"ok":true}`, abi.UplinkSend, string(id), "stranger", "hello \xff")
	if len(r.sent) != 2 {
		t.Fatalf("%d messages", len(r.sent))
	}
	for i, want := range []struct{ principal, session, user, content string }{{"ida", "", userID, "hello"}, {"default", "s1", "", "hello \ufffd"}} {
		m := r.sent[i]
		var in abi.UplinkInbound
		must(t, json.Unmarshal(m.Payload.Guest(), &in))
		if m.Topic != abi.TopicUplinkInbound || m.Principal != want.principal || m.Session != want.session || m.SourceID != "uuid-guest" ||
			in.UserID != want.user || in.Content != want.content || in.Platform != "chat" || in.Profile != "chat" || in.UplinkID != string(id) {
			t.Errorf("message %d: %+v %+v", i, m, in)
		}
	}
	// A guest cannot say such a thing itself.
	g.refused(abi.CodeDenied, "reserved", abi.IpcPublish, abi.TopicUplinkInbound, `{"user_id":"x"}`)
	// If it cannot be found out whose an account is, nothing is said in anybody's name.
	r.people.err = errors.New("disk full")
	g.refused(abi.CodeIO, "disk full", abi.UplinkSend, string(id), "linked", "hello")
	for i := range abi.MaxUplinks - 1 {
		if _, err := g.do(abi.UplinkRegister, "n"+strings.Repeat("x", i), "p", "chat"); err != nil {
			t.Fatal(err)
		}
	}
	g.refused(abi.CodeLimit, "limit reached", abi.UplinkRegister, "more", "p", "chat")
}
