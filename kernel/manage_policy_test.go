package kernel

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
)

func TestReloadTakesTheUsersMode(t *testing.T) {
	k := boot(t)
	p := connect(t, k)
	if m := must[abi.ModeInfo](t, p, abi.MethodGetMode, nil); m.Mode != "safe" || m.Source != "default" {
		t.Errorf("the mode is %+v", m)
	}
	wantDeferred(t, k, "s1", "in safe mode")
	put(t, k.opts.Home.ConfigFile(), "[workspace]\nmode = \"autonomous\"\n[security.policy]\nrequire_approval_for_network = false\n")
	wantDeferred(t, k, "s1", "before the daemon was told")
	m := must[abi.ModeInfo](t, p, abi.MethodReloadPolicy, nil)
	if m.Mode != "autonomous" || !strings.HasSuffix(m.Source, "config.toml:2:1") {
		t.Errorf("after the reload: %+v", m)
	}
	wantAllowed(t, k, "s1", "in autonomous mode")

	put(t, k.opts.Home.ConfigFile(), "[workspace]\nmode = \"anything goes\"\n")
	if _, err := manage[abi.ModeInfo](t, p, abi.MethodReloadPolicy, nil); err == nil || !strings.Contains(err.Error(), "what was in force stays") {
		t.Errorf("a broken file: %v", err)
	}
	if m := must[abi.ModeInfo](t, p, abi.MethodGetMode, nil); m.Mode != "autonomous" {
		t.Errorf("after the broken file: %+v", m)
	}
}

func TestWorkspaceFileTightensItsSessions(t *testing.T) {
	strict, plain := t.TempDir(), t.TempDir()
	k := boot(t, func(o *Options) {
		o.Workspace = strict // being started there must not tighten other places
		put(t, o.Home.ConfigFile(), "[workspace]\nmode = \"guided\"\n[budget]\nper_action_max_usd = 5.0\n")
		put(t, workspaceFile(strict), "[workspace]\nmode = \"safe\"\n[budget]\nper_action_max_usd = 0.5\n")
		put(t, workspaceFile(plain), "[workspace]\nmode = \"yolo\"\n")
	})
	p := connect(t, k)
	prompt := func(session, workspace string) string {
		return p.ack(fmt.Sprintf(`{"topic":"user.v1.prompt","session":%q,"workspace":%q,"payload":{"type":"user_input","text":"x","session_id":%q}}`, session, workspace, session))
	}
	prompt("in-strict", strict)
	prompt("in-plain", plain)
	read := func(session string) error {
		path := "/opt/outside.txt"
		return act(t, k, session, approval.Action{Kind: approval.FSRead, Resource: "fs:read://" + path, Path: path})
	}
	if err := read("in-plain"); err != nil {
		t.Errorf("reading outside in guided mode: %v", err)
	}
	if err := read("in-strict"); !errors.Is(err, approval.ErrDeferred) || !strings.Contains(err.Error(), workspaceFile(strict)+":2") {
		t.Errorf("reading outside where the project says safe: %v", err)
	}
	err := act(t, k, "in-strict", approval.Action{Kind: approval.NetRequest, Resource: apiResource, CostUSD: 1})
	if !errors.Is(err, approval.ErrBudget) || !strings.Contains(err.Error(), workspaceFile(strict)+":4") {
		t.Errorf("a dear request where the project says cheap: %v", err)
	}
	if m := must[abi.ModeInfo](t, p, abi.MethodGetMode, abi.ModeQuery{Workspace: plain}); m.Mode != "guided" || len(m.Notices) != 1 {
		t.Errorf("a project loosened the mode: %+v", m)
	}
	if m := must[abi.ModeInfo](t, p, abi.MethodGetMode, abi.ModeQuery{Workspace: strict}); m.Mode != "safe" {
		t.Errorf("the strict project has %+v", m)
	}

	// What the file says counts from the next prompt on.
	put(t, workspaceFile(plain), "[workspace]\nmode = \"safe\" # now\n")
	prompt("in-plain", plain)
	if err := read("in-plain"); !errors.Is(err, approval.ErrDeferred) {
		t.Errorf("after the project changed its mind: %v", err)
	}
	// A file that cannot be read stops prompts and holds what runs to the strictest rules.
	put(t, workspaceFile(strict), "[workspace]\nmode = \"guided\"\nmood = 1\n")
	if e := prompt("in-strict", strict); !strings.Contains(e, "mood") {
		t.Errorf("a broken file: the prompt got %q", e)
	}
	if err := read("in-strict"); !errors.Is(err, approval.ErrDeferred) {
		t.Errorf("a broken file: %v", err)
	}
	put(t, workspaceFile(strict), "[workspace]\nmode = \"guided\" # mended\n")
	prompt("in-strict", strict)
	if err := read("in-strict"); err != nil {
		t.Errorf("after it was mended: %v", err)
	}
	for _, bad := range []string{"relative", filepath.Join(plain, "missing")} {
		if _, err := manage[abi.ModeInfo](t, p, abi.MethodGetMode, abi.ModeQuery{Workspace: bad}); err == nil {
			t.Errorf("workspace %q was taken", bad)
		}
	}
}

// TestBrokenProjectIsRefusedAlone: a daemon that was started in a project whose file is broken, or greedy, serves everybody else.
func TestBrokenProjectIsRefusedAlone(t *testing.T) {
	broken, plain := t.TempDir(), t.TempDir()
	put(t, workspaceFile(broken), "[limits]\nguest_memory_mb = 1\nmailboks = 3\n")
	k := boot(t, func(o *Options) { o.Workspace = broken })
	p := connect(t, k)
	prompt := func(session, workspace string) string {
		return p.ack(fmt.Sprintf(`{"topic":"user.v1.prompt","session":%q,"workspace":%q,"payload":{"type":"user_input","text":"x","session_id":%q}}`, session, workspace, session))
	}
	if e := prompt("a", broken); !strings.Contains(e, workspaceFile(broken)+":3") {
		t.Errorf("the broken project: %q", e)
	}
	if e := prompt("b", plain); strings.Contains(e, "config.toml") {
		t.Errorf("the other project: %q", e)
	}
	if err := act(t, k, "", approval.Action{Kind: approval.FSRead, Resource: "fs:read:///opt/x", Path: "/opt/x"}); !errors.Is(err, approval.ErrDeferred) {
		t.Errorf("outside of a session: %v", err)
	}

	// What is of the whole daemon is no project's to set, whoever is first there.
	put(t, workspaceFile(broken), "[limits]\nguest_memory_mb = 1\n")
	k = boot(t, func(o *Options) { o.Workspace = broken })
	if got := k.opts.Config.Limits.GuestMemoryBytes; got != 64<<20 {
		t.Errorf("a project took the guests' memory down to %d bytes", got)
	}
	if m := must[abi.ModeInfo](t, connect(t, k), abi.MethodGetMode, abi.ModeQuery{Workspace: broken}); len(m.Notices) != 1 || !strings.Contains(m.Notices[0], "a workspace cannot set it") {
		t.Errorf("it is told %q", m.Notices)
	}
}

// TestPolicyChangesWhileItDecides hammers the lock of the policies.
func TestPolicyChangesWhileItDecides(t *testing.T) {
	k := boot(t)
	dir := t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				s := approval.Subject{Principal: "default", Capsule: "prov", Session: "s", Workspace: dir, Bounds: anything{}}
				_, err := k.gate.Intercept(ctx, s, approval.Action{Kind: approval.FSRead, Class: approval.Guarded, Resource: "fs:read:///opt/x", Path: "/opt/x"})
				if err == nil {
					t.Error("a read outside was allowed")
				}
			}
		})
	}
	for i := range 30 {
		put(t, workspaceFile(dir), fmt.Sprintf("[workspace]\nmode = \"safe\" # %d\n", i))
		if err := k.refreshWorkspace(dir, false); err != nil {
			t.Error(err)
		}
		if err := k.reloadPolicy(); err != nil {
			t.Error(err)
		}
		if _, err := k.modeInfo("default", abi.ModeQuery{Workspace: dir}); err != nil {
			t.Error(err)
		}
	}
	stop()
	wg.Wait()
}
