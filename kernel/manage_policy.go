package kernel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/kernel/config"
	"github.com/unicity-astrid/astrid-go/vfs"
)

// policies keeps the gate's rules as the files say: the common ones, and for each workspace
// that a session works in the stricter ones of its own file.
type policies struct {
	load func(workspace string) (*config.Config, error) // "" leaves out what a workspace says

	mu      sync.Mutex
	known   sync.Map // workspace → *workspacePolicy; written under mu
	notices []string // of the common configuration
}

// workspacePolicy is what was read of a workspace's file.
type workspacePolicy struct {
	seen    [2]fileState // of its configuration and its ignore file
	err     error        // why it could not be read: the strictest rules hold
	notices []string
	links   vfs.HardLinks
}

// hardLinks maps workspace.hard_links.
var hardLinks = map[string]vfs.HardLinks{"none": vfs.LinksNone, "public": vfs.LinksPublic, "all": vfs.LinksAll}

// hardLinks tells which files with names outside of a workspace are read there: none before its rules are known.
func (p *policies) hardLinks(workspace string) vfs.HardLinks {
	if v, ok := p.known.Load(workspace); ok {
		return v.(*workspacePolicy).links
	}
	return vfs.LinksNone
}

// fileState tells one state of a file from another. The zero value is no file.
type fileState struct {
	size    int64
	changed time.Time
	mode    fs.FileMode
}

func stateOf(path string) fileState {
	fi, err := os.Lstat(path)
	if err != nil {
		return fileState{}
	}
	return fileState{fi.Size(), fi.ModTime(), fi.Mode()}
}

func workspaceFile(workspace string) string {
	return filepath.Join(workspace, ".astrid", "config.toml")
}

// reloadCommon reads the configuration again and makes the gate follow it. When it cannot be
// read, what was in force stays.
func (k *Kernel) reloadCommon() error {
	cfg, err := k.policies.load("")
	if err != nil {
		return fmt.Errorf("configuration: %w (what was in force stays)", err)
	}
	policy, err := approval.CompilePolicy(rulesOf(cfg, k.opts.Home))
	if err != nil {
		return fmt.Errorf("configuration: %w (what was in force stays)", err)
	}
	limits, err := limitsOf(cfg)
	if err != nil {
		return fmt.Errorf("configuration: %w (what was in force stays)", err)
	}
	if err := k.gate.SetPolicy(policy); err != nil {
		return err
	}
	k.gate.Budgets().SetLimits(limits)
	k.policies.notices = texts(cfg.Notices)
	slog.Info("Policy in force", "mode", policy.Mode(), "source", policy.Rules().ModeSource)
	return nil
}

func texts(notices []config.Notice) []string {
	var out []string
	for _, n := range notices {
		out = append(out, n.String())
	}
	return out
}

// ensurePolicy makes sure that a workspace's own rules are in force before something is
// decided in it for the first time. Plain calls need not wait for it: a session begins with
// a client's message, which brings the rules in force too.
func (k *Kernel) ensurePolicy(ctx context.Context, s *approval.Subject) error {
	workspace := s.Workspace
	if workspace == "" {
		var err error
		if workspace, err = k.files.WorkspaceOf(ctx, s.Principal, s.Session); err != nil {
			return err
		}
	}
	if _, ok := k.policies.known.Load(workspace); !ok {
		// An error tightened the rules; the client that works there is told at its next prompt.
		_ = k.refreshWorkspace(workspace, false)
	}
	return nil
}

// refreshWorkspace reads a workspace's file again if it changed, or in any case. The error says
// why the file cannot be used; until it can, the strictest rules hold there.
func (k *Kernel) refreshWorkspace(workspace string, anyway bool) error {
	p := &k.policies
	p.mu.Lock()
	defer p.mu.Unlock()
	now := [2]fileState{stateOf(workspaceFile(workspace)), stateOf(ignoreFile(workspace))}
	if v, ok := p.known.Load(workspace); ok && !anyway && v.(*workspacePolicy).seen == now {
		return v.(*workspacePolicy).err
	}
	w := &workspacePolicy{seen: now, links: vfs.LinksNone}
	ignore, ierr := readIgnore(workspace)
	if ierr != nil {
		slog.Warn("A workspace's ignore file cannot be used: all its files are kept from agents", "workspace", workspace, "error", ierr)
	}
	w.err = k.loadWorkspace(workspace, w, ignore)
	if w.err != nil {
		strictest := approval.DefaultRules()
		strictest.Mode, strictest.ModeSource = approval.Safe, workspaceFile(workspace)
		strictest.Ignore = ignore
		err := k.gate.SetWorkspace(workspace, &strictest)
		slog.Warn("A workspace's configuration cannot be used: its strictest rules hold", "workspace", workspace, "error", errors.Join(w.err, err))
	}
	w.err = errors.Join(w.err, ierr)
	p.known.Store(workspace, w)
	return w.err
}

func (k *Kernel) loadWorkspace(workspace string, w *workspacePolicy, ignore *approval.Ignore) error {
	cfg, err := k.policies.load(workspace)
	if err != nil {
		return err
	}
	w.notices, w.links = texts(cfg.Notices), hardLinks[cfg.Workspace.HardLinks]
	own := slices.ContainsFunc(cfg.Files, func(f config.File) bool { return f.Layer == config.Workspaces })
	if !own && ignore == nil {
		k.gate.Budgets().SetWorkspaceLimits(workspace, nil)
		return k.gate.SetWorkspace(workspace, nil)
	}
	limits, err := limitsOf(cfg)
	if err != nil {
		return err
	}
	rules := rulesOf(cfg, k.opts.Home)
	rules.Ignore = ignore
	if err := k.gate.SetWorkspace(workspace, &rules); err != nil {
		return err
	}
	var bounds *approval.Limits
	if own {
		bounds = &limits
	}
	k.gate.Budgets().SetWorkspaceLimits(workspace, bounds)
	return nil
}

// followWorkspace is called for each message of a session: what its project's file says
// counts from then on.
func (k *Kernel) followWorkspace(ctx context.Context, principal, session string) error {
	workspace, err := k.files.WorkspaceOf(ctx, principal, session)
	if err != nil {
		return err
	}
	k.files.askTrust(workspace)
	return k.refreshWorkspace(workspace, false)
}

// getMode tells the mode in force in a session, in a workspace, or in general.
func (k *Kernel) getMode(ctx context.Context, principal string, raw json.RawMessage) (any, error) {
	p, err := k.modeQuery(ctx, principal, abi.MethodGetMode, raw)
	if err != nil {
		return nil, err
	}
	return k.modeInfo(principal, p)
}

// reload makes the gate follow the files as they are now.
func (k *Kernel) reload(ctx context.Context, principal string, raw json.RawMessage) (any, error) {
	p, err := k.modeQuery(ctx, principal, abi.MethodReloadPolicy, raw)
	if err != nil {
		return nil, err
	}
	if err := k.reloadPolicy(); err != nil {
		return nil, err
	}
	return k.modeInfo(principal, p)
}

// reloadPolicy reads the common configuration and that of all workspaces again.
func (k *Kernel) reloadPolicy() error {
	k.policies.mu.Lock()
	err := k.reloadCommon()
	k.policies.mu.Unlock()
	if err != nil {
		return err
	}
	k.policies.known.Range(func(workspace, _ any) bool {
		// What is wrong with one workspace's file is told to those who work there.
		_ = k.refreshWorkspace(workspace.(string), true)
		return true
	})
	return nil
}
