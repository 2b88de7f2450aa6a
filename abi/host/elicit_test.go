package host

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
)

func value(s string) abi.ElicitResponse { return abi.ElicitResponse{Value: &s} }

// asks is a guest whose capsule is being installed, and a person who answers r.
func asks(t *testing.T, r abi.ElicitResponse, err error) (*rig, *guest, *abi.OnboardingField) {
	rig := newRig(t, rigOptions{})
	asked := new(abi.OnboardingField)
	rig.ask = func(_ context.Context, q abi.OnboardingField) (abi.ElicitResponse, error) {
		*asked = q
		return r, err
	}
	g := rig.guest(newCapsule(everythingGrants()))
	g.call.Lifecycle = true
	return rig, g, asked
}

func TestElicit(t *testing.T) {
	_, g, q := asks(t, value("an answer"), nil)
	g.want(`{"value":"an answer"}`, abi.Elicit, `{"type":"text","key":"k","description":"Say\u001b[31m it","default":"d"}`)
	if q.Key != "k" || q.Prompt != "Say[31m it" || q.Default != "d" || q.FieldType.Name != "Text" {
		t.Errorf("asked %+v", q)
	}
	g.refused(abi.CodeInvalid, "none of the options", abi.Elicit, `{"type":"select","key":"k","options":["a","b"]}`)
	g.want(`{"values":["an answer"]}`, abi.Elicit, `{"type":"array","key":"k"}`)
	for want, req := range map[string]string{
		"unknown elicit type":  `{"type":"number","key":"k"}`,
		"non-empty options":    `{"type":"select","key":"k","options":[]}`,
		"one line":             `{"type":"select","key":"k","options":["a\nb"]}`,
		"no such name":         `{"type":"text","key":""}`,
		"invalid elicit":       `[]`,
		"can have 256 options": `{"type":"select","key":"k","options":["x"` + strings.Repeat(`,"x"`, 256) + `]}`,
	} {
		g.refused(abi.CodeInvalid+map[bool]abi.Code{true: abi.CodeTooLarge - abi.CodeInvalid}[strings.Contains(want, "256")], want, abi.Elicit, req)
	}
	g.call.Lifecycle = false
	g.refused(abi.CodeDenied, "only available during", abi.Elicit, `{"type":"text","key":"k"}`)
}

// TestElicitSecret: the guest is told that a secret is there, and no more.
func TestElicitSecret(t *testing.T) {
	r, g, q := asks(t, value("geheim"), nil)
	g.call.Principal = "alice"
	g.want(`{"exists":false}`, abi.HasSecret, `{"key":"token"}`)
	g.want(`{"ok":true}`, abi.Elicit, `{"type":"secret","key":"token","default":"not shown"}`)
	if q.Default != "" || q.FieldType.Name != "Secret" {
		t.Errorf("asked %+v", q)
	}
	if r.keys.m["alice:guest:token"] != "geheim" || len(r.keys.m) != 1 {
		t.Errorf("stored %v", r.keys.m)
	}
	g.want(`{"exists":true}`, abi.HasSecret, `{"key":"token"}`)
	for _, e := range r.decisions("alice") {
		if strings.Contains(string(e.Line()), "geheim") {
			t.Errorf("the secret is in the log: %s", e.Line())
		}
	}
	r.keys.err = errors.New("the keyring is locked")
	g.refused(abi.CodeIO, "failed to persist secret", abi.Elicit, `{"type":"secret","key":"token"}`)
	g.refused(abi.CodeIO, "failed to check for secret", abi.HasSecret, `{"key":"token"}`)
	g.refused(abi.CodeInvalid, "no such name", abi.HasSecret, `{"key":"a:b"}`)
}

func TestElicitNoAnswer(t *testing.T) {
	_, g, _ := asks(t, abi.ElicitResponse{}, nil)
	g.refused(abi.CodeCanceled, "user cancelled", abi.Elicit, `{"type":"text","key":"k"}`)
	_, g, _ = asks(t, abi.ElicitResponse{}, context.DeadlineExceeded)
	g.refused(abi.CodeTimeout, "deadline", abi.Elicit, `{"type":"text","key":"k"}`)
	_, g, _ = asks(t, value(""), nil)
	g.refused(abi.CodeInvalid, "empty secret", abi.Elicit, `{"type":"secret","key":"k"}`)
	_, g, _ = asks(t, abi.ElicitResponse{Values: []string{"a"}}, nil)
	g.refused(abi.CodeInvalid, "is a list", abi.Elicit, `{"type":"text","key":"k"}`)
	g.want(`{"values":["a"]}`, abi.Elicit, `{"type":"array","key":"k"}`)
	_, g, _ = asks(t, abi.ElicitResponse{Values: []string{}}, nil)
	g.want(`{"values":[]}`, abi.Elicit, `{"type":"array","key":"k"}`)
}

// TestElicitUnattended: with nobody there a question does not wait. What is known answers it, else it says what to do.
func TestElicitUnattended(t *testing.T) {
	r, g, _ := asks(t, abi.ElicitResponse{}, ErrNobody)
	g.refused(abi.CodeDeferred, "--answers", abi.Elicit, `{"type":"text","key":"k"}`)
	g.refused(abi.CodeDeferred, "astrid secret set guest token", abi.Elicit, `{"type":"secret","key":"token"}`)
	g.refused(abi.CodeDeferred, "--answers", abi.Elicit, `{"type":"select","key":"k","options":["a"],"default":"b"}`)
	g.refused(abi.CodeDeferred, "--answers", abi.Elicit, `{"type":"array","key":"k","default":"not a list"}`)
	g.want(`{"value":"d"}`, abi.Elicit, `{"type":"text","key":"k","default":"d"}`)
	g.want(`{"value":"a"}`, abi.Elicit, `{"type":"select","key":"k","options":["a"],"default":"a"}`)
	g.want(`{"values":["a","b"]}`, abi.Elicit, `{"type":"array","key":"k","default":"[\"a\",\"b\"]"}`)
	g.want(`{"value":"hello"}`, abi.Elicit, `{"type":"text","key":"greeting","default":"d"}`)
	// A secret's default is no answer, and its value none to any other question.
	g.refused(abi.CodeDeferred, "api_key", abi.Elicit, `{"type":"text","key":"api_key"}`)
	r.keys.m["default:guest:token"] = "stored before"
	g.want(`{"ok":true}`, abi.Elicit, `{"type":"secret","key":"token"}`)
}
