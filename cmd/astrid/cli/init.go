package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/capsule/distro"
	"github.com/unicity-astrid/astrid-go/capsule/store"
	"github.com/unicity-astrid/astrid-go/distros"
	"github.com/unicity-astrid/astrid-go/kernel/home"
)

type initOptions struct {
	sys      System
	distro   string
	provider string
	set      []string
	yes      bool
}

func newInit(sys System) *cobra.Command {
	o := &initOptions{sys: sys}
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Install a distribution: the capsules that make up the agent",
		Long: `Install the built-in distribution, or another one.

The provider is asked for on a terminal; otherwise, unless --provider names one, it is
the offline stand-in, which needs no network and no key. Variables are asked for too, or
set with --set name=value. What each capsule may do is shown before it is installed.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := sys.openHome()
			if err != nil {
				return err
			}
			return o.run(cmd.Context(), h)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.distro, "distro", distros.Default, "built-in distribution, or a `DIR` with Distro.toml and archives")
	f.StringVar(&o.provider, "provider", "", "`NAME` of the model provider, for example offline or openai-compat")
	f.StringArrayVar(&o.set, "set", nil, "answer a variable of the distribution: `NAME=VALUE`; repeatable")
	f.BoolVarP(&o.yes, "yes", "y", false, "ask nothing: take defaults, agree to what is shown")
	return cmd
}

// firstRun installs the built-in distribution with the offline provider when nothing is
// installed yet, so that the first command works.
func firstRun(ctx context.Context, sys System, h home.Home) error {
	p, err := h.Principal(home.DefaultPrincipal)
	if err != nil {
		return err
	}
	if _, err := distro.LoadLock(p.DistroLock()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// Of several first commands one installs, the others wait for it.
	release, err := waitLock(ctx, filepath.Join(h.Run(), "first-run.lock"))
	if err != nil {
		return err
	}
	defer release()
	if _, err := distro.LoadLock(p.DistroLock()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	sys.notef("first run: installing the built-in distribution with the offline provider; `astrid init` chooses another")
	o := &initOptions{sys: sys, distro: distros.Default, provider: "offline", yes: true}
	return o.run(ctx, h)
}

// waitLock takes a lock as soon as it is free.
func waitLock(ctx context.Context, path string) (release func(), err error) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		l, err := home.AcquireLock(path)
		if err == nil {
			return func() { _ = l.Release() }, nil // the end of the process releases it too
		}
		if !errors.Is(err, home.ErrLocked) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// capsulePrefix is what the names of stock capsules begin with; --provider leaves it out.
const capsulePrefix = "astrid-capsule-"

func (o *initOptions) run(ctx context.Context, h home.Home) error {
	p, err := h.Principal(home.DefaultPrincipal)
	if err != nil {
		return err
	}
	if err := p.Ensure(); err != nil {
		return err
	}
	m, source, err := openDistro(o.distro)
	if err != nil {
		return err
	}
	ask := !o.yes && o.sys.IsTerminal(o.sys.Stdin)
	in := bufio.NewReader(o.sys.Stdin)
	answers, err := o.answers(m, ask, in)
	if err != nil {
		return err
	}
	settings, err := o.sys.settings(h, p)
	if err != nil {
		return err
	}
	opts := distro.Options{
		Manifest: m, Answers: answers, Source: source,
		Store:    &store.Store{Dir: p.CapsulesDir(), BinDir: h.BinDir(), WitDir: h.WitDir()},
		Settings: settings, LockPath: p.DistroLock(),
	}
	manifests, err := distro.Preview(ctx, opts)
	if err != nil {
		return err
	}
	for _, c := range manifests {
		fmt.Fprintf(o.sys.Stderr, "  %-30s %s\n", c.ID(), strings.Join(wants(c), "; "))
	}
	if ask {
		if ok, err := o.sys.confirm(in, "Install these capsules?", true); err != nil || !ok {
			return errors.Join(err, fail(ExitError, "nothing was installed"))
		}
	}
	// What is installed must be what was shown.
	opts.Agreed = manifests
	res, err := distro.Install(ctx, opts)
	if err != nil {
		return err
	}
	if err := consent(settings, manifests); err != nil {
		return err
	}
	if err := compileAhead(ctx, o.sys, h, res.Installed); err != nil {
		return err
	}
	state := store.State{Dir: filepath.Join(p.Root(), store.StateDir)}
	if err := choose(state, opts.Store, m.Groups(), answers.Groups); err != nil {
		return err
	}
	fmt.Fprintf(o.sys.Stderr, "installed %s %s: %d capsules\n", res.Lock.Distro.ID, res.Lock.Distro.Version, len(res.Installed))
	return reload(ctx, h)
}

// choose switches the alternatives of each group that were not chosen off, and the chosen
// ones on: what an earlier init installed stays, and can be chosen again.
func choose(state store.State, st *store.Store, groups []distro.Group, chosen map[string][]string) error {
	for _, g := range groups {
		for _, name := range g.Members {
			var err error
			if slices.Contains(chosen[g.Name], name) {
				err = state.Enable(name)
			} else if _, missing := st.Get(name); missing == nil {
				err = state.Disable(name)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// openDistro finds the manifest and the archives: built in, or in a directory.
func openDistro(name string) (*distro.Manifest, distro.Source, error) {
	if fsys, err := distros.Open(name); err == nil {
		m, err := distro.LoadFS(fsys, distro.ManifestName)
		if err != nil {
			return nil, nil, err
		}
		archives, err := fs.Sub(fsys, "dist")
		if err != nil {
			return nil, nil, err
		}
		return m, distro.Archives(archives), nil
	}
	m, err := distro.Load(filepath.Join(name, distro.ManifestName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fail(ExitUsage, "there is no distribution %q: name %s, or a directory with a %s", name, distros.Default, distro.ManifestName)
	}
	if err != nil {
		return nil, nil, err
	}
	return m, distro.Directory(name), nil
}

// answers collects what the distribution wants to know.
func (o *initOptions) answers(m *distro.Manifest, ask bool, in *bufio.Reader) (distro.Answers, error) {
	a := distro.Answers{Groups: map[string][]string{}, Variables: map[string]string{}}
	for _, kv := range o.set {
		name, value, ok := strings.Cut(kv, "=")
		if _, known := m.Variables[name]; !ok || !known {
			return a, fail(ExitUsage, "--set %s: use NAME=VALUE with a variable of the distribution: %s", kv, strings.Join(names(m.Variables), ", "))
		}
		a.Variables[name] = value
	}
	for _, g := range m.Groups() {
		member, err := o.member(g, ask, in)
		if err != nil {
			return a, err
		}
		a.Groups[g.Name] = []string{member}
	}
	if !ask {
		return a, nil
	}
	entries, err := m.Select(a)
	if err != nil {
		return a, err
	}
	for _, name := range m.VariablesOf(entries) {
		if _, set := a.Variables[name]; set {
			continue
		}
		v := m.Variables[name]
		prompt := v.Description
		if v.Default != "" {
			prompt += " [" + v.Default + "]"
		}
		value, err := o.sys.ask(in, prompt, v.Secret)
		if err != nil {
			return a, err
		}
		a.Variables[name] = value
	}
	return a, nil
}

// member chooses one provider of a group.
func (o *initOptions) member(g distro.Group, ask bool, in *bufio.Reader) (string, error) {
	if o.provider != "" {
		for _, name := range g.Members {
			if name == o.provider || name == capsulePrefix+o.provider {
				return name, nil
			}
		}
		return "", fail(ExitUsage, "--provider: %q is none of %s", o.provider, strings.Join(short(g.Members), ", "))
	}
	if !ask || len(g.Members) == 1 {
		return g.Members[0], nil
	}
	fmt.Fprintf(o.sys.Stderr, "Provider for %s: %s [%s] ", g.Name, strings.Join(short(g.Members), ", "), short(g.Members)[0])
	line, err := readLine(in)
	if err != nil {
		return "", err
	}
	if line == "" {
		return g.Members[0], nil
	}
	if i := slices.Index(short(g.Members), line); i >= 0 {
		return g.Members[i], nil
	}
	return "", fail(ExitUsage, "%q is none of %s", line, strings.Join(short(g.Members), ", "))
}

func short(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = strings.TrimPrefix(s, capsulePrefix)
	}
	return out
}

func names[T any](m map[string]T) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
