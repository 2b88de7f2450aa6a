package kernel

import (
	"errors"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/audit"
)

func outside(t *testing.T, k *Kernel, session string) error {
	t.Helper()
	return act(t, k, session, approval.Action{Kind: approval.FSRead, Resource: "fs:read:///opt/x", Path: "/opt/x"})
}

func TestSessionModeTightensAndSurvives(t *testing.T) {
	o := options(t)
	put(t, o.Home.ConfigFile(), "[workspace]\nmode = \"yolo\"\n")
	start := func() (*Kernel, *peer) {
		k, err := Boot(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		p := connect(t, k)
		must[abi.ModeInfo](t, p, abi.MethodReloadPolicy, nil)
		return k, p
	}
	k, p := start()
	set := func(session, mode string) abi.ModeInfo {
		t.Helper()
		return must[abi.ModeInfo](t, p, abi.MethodSetSessionMode, abi.SessionMode{Session: session, Workspace: o.Workspace, Mode: mode})
	}
	if m := set("s1", "safe"); m.Mode != "safe" || m.Limit != "safe" || m.Session != "s1" || m.Source != approval.SessionModeSource {
		t.Errorf("the mode is %+v", m)
	}
	err := outside(t, k, "s1")
	if !errors.Is(err, approval.ErrDeferred) || !strings.Contains(err.Error(), approval.SessionModeSource) {
		t.Errorf("reading outside in a session in safe mode: %v", err)
	}
	if err := outside(t, k, "s2"); err != nil {
		t.Errorf("another session is bound too: %v", err)
	}
	bare := func(session string) bool {
		return k.newProcesses().bare(sessionKey{"default", session}, o.Workspace)
	}
	if bare("s1") || !bare("s2") {
		t.Errorf("programs run without the sandbox: s1 %v, s2 %v", bare("s1"), bare("s2"))
	}
	if m := must[abi.ModeInfo](t, p, abi.MethodGetMode, abi.ModeQuery{Session: "s1"}); m.Mode != "safe" || m.Workspace == "" {
		t.Errorf("the mode of the session is %+v", m)
	}
	if m := must[abi.ModeInfo](t, p, abi.MethodGetMode, abi.ModeQuery{Workspace: o.Workspace}); m.Mode != "yolo" || m.Limit != "" {
		t.Errorf("the mode of the workspace is %+v", m)
	}
	if err := k.Shutdown("restart"); err != nil {
		t.Fatal(err)
	}
	k, p = start()
	defer func() {
		if err := k.Shutdown("test ended"); err != nil {
			t.Error(err)
		}
	}()
	if err := outside(t, k, "s1"); !errors.Is(err, approval.ErrDeferred) {
		t.Errorf("a restart has loosened the session: %v", err)
	}
	if m := set("s1", "guided"); m.Mode != "guided" {
		t.Errorf("given back: %+v", m)
	}
	if err := outside(t, k, "s1"); err != nil {
		t.Errorf("reading outside in guided mode: %v", err)
	}
	put(t, o.Home.ConfigFile(), "[workspace]\nmode = \"safe\"\n")
	must[abi.ModeInfo](t, p, abi.MethodReloadPolicy, nil)
	if m := set("s1", "yolo"); m.Mode != "safe" || m.Limit != "yolo" || m.Source == approval.SessionModeSource {
		t.Errorf("a session is freer than the configuration: %+v", m)
	}
	if err := outside(t, k, "s1"); !errors.Is(err, approval.ErrDeferred) {
		t.Errorf("a session is freer than the configuration: %v", err)
	}
	if es := entries(t, k, audit.Filter{Kinds: []audit.Kind{audit.KindEvent}, Session: "s1"}); len(es) != 3 || es[0].Type != "session.mode" {
		t.Errorf("the audit log has %+v", es)
	}
}

func TestSessionModeRefusesNonsense(t *testing.T) {
	k := boot(t)
	p := connect(t, k)
	for _, bad := range []any{
		abi.SessionMode{Session: "s", Workspace: "/tmp", Mode: "loose"},
		abi.SessionMode{Workspace: "/tmp", Mode: "safe"},
		abi.SessionMode{Session: "s\x1b", Workspace: "/tmp", Mode: "safe"},
		abi.SessionMode{Session: "new", Mode: "safe"},
		abi.SessionMode{Session: "new", Workspace: "relative", Mode: "safe"},
		map[string]string{"session": "s", "mod": "safe"},
	} {
		if m, err := manage[abi.ModeInfo](t, p, abi.MethodSetSessionMode, bad); err == nil {
			t.Errorf("%+v is accepted: %+v", bad, m)
		}
	}
}
