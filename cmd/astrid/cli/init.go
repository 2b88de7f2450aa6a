package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
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
	sys         System
	distro      string
	provider    []string
	set         []string
	answersFile string
	lockFile    string
	fingerprint string
	yes         bool
	locked      bool
	offline     bool
	known       map[string]bool // variables that were answered before

	in *bufio.Reader // what is typed
}

// asks tells whether there is somebody to answer questions.
func (o *initOptions) asks() bool { return !o.yes && o.sys.IsTerminal(o.sys.Stdin) }

func newInit(sys System) *cobra.Command {
	o := &initOptions{sys: sys, in: bufio.NewReader(sys.Stdin)}
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Install a distribution: the capsules that make up the agent",
		Long: `Install the built-in distribution, or another one. A distribution is named as

  astralis           the built-in one
  ./dir              a directory with Distro.toml, or that file itself
  ./name.distro      what "astrid distro export" made, for machines without a network
  @org/name          a release on the host that capsules.base_url names
  https://…          a Distro.toml or a .distro file anywhere

Providers and variables are asked for on a terminal. Elsewhere --provider names the
providers; without it they are those of the last time, or the offline stand-in, which needs
no network and no key. Variables are answered by --set, by --answers (a file with lines of
name = "value") or by environment variables ASTRID_ANSWER_<NAME>; in the first two
{{ NAME }} stands for the environment variable NAME.

Everything is fetched and checked, and what each capsule may do is shown, before the first
is installed. What is installed is then locked: --locked refuses any difference to the lock
of --lock, else that beside the Distro.toml or in the exported file, else the one of the
last time.`,
		Example: `  astrid init
  astrid init --yes --provider openai-compat --set openai_api_key='{{ OPENAI_API_KEY }}'
  astrid init --distro team.distro --fingerprint 0123456789abcdef0123456789abcdef --yes
  astrid init --locked --lock ./distro.lock --yes`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := sys.openHome()
			if err != nil {
				return err
			}
			if err := o.run(cmd.Context(), h); err != nil {
				return err
			}
			return offerPath(cmd.Context(), sys, o.in, o.asks())
		},
	}
	o.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&o.distro, "distro", distros.Default, "`NAME`, path or address of the distribution")
	f.BoolVar(&o.locked, "locked", false, "refuse any difference to the lock")
	f.StringVar(&o.lockFile, "lock", "", "the `FILE` with the lock for --locked")
	return cmd
}

// flags are those that distro update has too.
func (o *initOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringSliceVar(&o.provider, "provider", nil, "`NAME` of a provider, for example offline or openai-compat; repeatable")
	f.StringArrayVar(&o.set, "set", nil, "answer a variable of the distribution: `NAME=VALUE`; repeatable")
	f.StringVar(&o.answersFile, "answers", "", "a `FILE` with answers: lines of name = \"value\"")
	f.StringVar(&o.fingerprint, "fingerprint", "", "trust an exported file that the key with this `FINGERPRINT` has signed")
	f.BoolVar(&o.offline, "offline", false, "do not use the network")
	f.BoolVarP(&o.yes, "yes", "y", false, "ask nothing: take defaults, agree to what is shown")
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
	o := &initOptions{sys: sys, distro: distros.Default, provider: []string{"offline"}, yes: true, in: bufio.NewReader(strings.NewReader(""))}
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
	c, err := openCapsules(o.sys)
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "astrid-init-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	d, err := o.openDistro(ctx, h, c, scratch)
	if err != nil {
		return err
	}
	return o.install(ctx, c, d)
}

// install installs an opened distribution.
func (o *initOptions) install(ctx context.Context, c *capsules, d *openedDistro) error {
	p := c.principal
	before, err := loadOrigin(p)
	if err != nil {
		return err
	}
	answers, err := o.answers(ctx, d.manifest, before.Groups)
	if err != nil {
		return err
	}
	bars := newProgressBars(o.sys)
	opts := distro.Options{
		Manifest: d.manifest, Answers: answers, Source: d.source, Store: c.store,
		Settings: c.settings, LockPath: p.DistroLock(),
		Progress: func(e distro.Event) {
			if e.Phase == distro.Done {
				e.Phase = "compile"
			}
			bars.step(e.Name, string(e.Phase))
		},
	}
	if o.locked {
		if opts.Locked, err = o.theLock(p, d); err != nil {
			return err
		}
	}
	if err := c.recover(); err != nil {
		return err
	}
	prepared, err := distro.Prepare(ctx, opts)
	if err != nil {
		bars.end()
		return explainFailed(err, "nothing was installed")
	}
	bars.clear()
	if err := o.show(c, prepared); err != nil {
		return err
	}
	if o.asks() {
		if ok, err := o.sys.confirm(ctx, o.in, "Install these capsules?", true); err != nil || !ok {
			return errors.Join(err, fail(ExitError, "nothing was installed"))
		}
	}
	res, err := prepared.Install(ctx)
	if err != nil {
		bars.end()
		return explainFailed(err, fmt.Sprintf("%d of %d are installed, nothing was locked; `astrid init` goes on", len(res.Installed), len(prepared.Manifests())))
	}
	if err := d.remember(p, answers.Groups); err != nil {
		return err
	}
	if err := consent(c.settings, prepared.Manifests()); err != nil {
		return err
	}
	if err := compileWith(ctx, o.sys, c.home, res.Installed, bars); err != nil {
		return err
	}
	bars.end()
	if err := choose(c.state, c.store, d.manifest.Groups(), answers.Groups); err != nil {
		return err
	}
	fmt.Fprintf(o.sys.Stderr, "installed %s %s: %d capsules\n", res.Lock.Distro.ID, res.Lock.Distro.Version, len(res.Installed))
	hooks, err := o.sys.hookAnswers(o.answersFile)
	if err != nil {
		return err
	}
	if o.asks() {
		hooks.in = o.in
	}
	return hooks.attend(ctx, c.home, func(ctx context.Context) error { return reload(ctx, c.home) })
}

// show tells what each capsule may do, and what the one that it replaces might not.
func (o *initOptions) show(c *capsules, prepared *distro.Prepared) error {
	widest := 0
	for _, m := range prepared.Manifests() {
		widest = max(widest, len(m.ID()))
	}
	for _, m := range prepared.Manifests() {
		env, err := prepared.Env(m)
		if err != nil {
			return err
		}
		fmt.Fprintf(o.sys.Stderr, "  %-*s  %s\n", widest, m.ID(), strings.Join(wants(m, env), "; "))
		before, err := c.store.Get(m.ID())
		if err != nil && !errors.Is(err, store.ErrNotInstalled) {
			return err
		}
		if before.Manifest == nil {
			continue
		}
		if m.Package.Version.Compare(before.Manifest.Package.Version) < 0 {
			fmt.Fprintf(o.sys.Stderr, "    %s is older than the installed %s\n", m.Package.Version, before.Version())
		}
		if lines := review(changes(m, before.Manifest), env); len(lines) > 0 {
			fmt.Fprintf(o.sys.Stderr, "    since %s:\n    %s\n", before.Version(), strings.Join(lines, "\n    "))
		}
	}
	return nil
}

// explainFailed lists what went wrong with which capsule.
func explainFailed(err error, then string) error {
	var f *distro.FailedError
	if !errors.As(err, &f) {
		return err
	}
	lines := make([]string, len(f.Failures))
	for i, one := range f.Failures {
		lines[i] = fmt.Sprintf("  %s: %s", one.Name, printable(one.Err.Error()))
	}
	return fail(ExitError, "%d capsules failed; %s\n%s", len(lines), then, strings.Join(lines, "\n"))
}

// theLock is what --locked must reproduce.
func (o *initOptions) theLock(p home.Principal, d *openedDistro) (*distro.Lock, error) {
	switch {
	case o.lockFile != "":
		return distro.LoadLock(o.lockFile)
	case d.lock != nil:
		return d.lock, nil
	}
	l, err := distro.LoadLock(p.DistroLock())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fail(ExitUsage, "--locked: there is no lock yet: name one with --lock")
	}
	return l, err
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

func names[T any](m map[string]T) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// loadOrigin reads what was remembered of the installed distribution; nothing is no error.
func loadOrigin(p home.Principal) (distroOrigin, error) {
	var d distroOrigin
	b, err := os.ReadFile(p.DistroOrigin())
	if errors.Is(err, fs.ErrNotExist) {
		return d, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &d)
	}
	if err != nil {
		return d, fmt.Errorf("%s: correct or delete it: %w", p.DistroOrigin(), err)
	}
	return d, nil
}
