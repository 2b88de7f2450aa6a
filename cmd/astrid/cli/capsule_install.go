package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/capsule/engine/wasm"
	"github.com/unicity-astrid/astrid-go/capsule/remote"
	"github.com/unicity-astrid/astrid-go/capsule/store"
)

type installOptions struct {
	sys         System
	set         []string
	answersFile string
	yes         bool
	force       bool
	replace     bool
	keep        bool
	build       bool
	offline     bool

	in *bufio.Reader // what is typed; one for the whole command
}

func (o *installOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVarP(&o.yes, "yes", "y", false, "agree to what the capsule may do; needed where nobody can be asked")
	f.StringArrayVar(&o.set, "set", nil, "a setting of the capsule: `KEY=VALUE`; repeatable")
	f.StringVar(&o.answersFile, "answers", "", "a `FILE` with settings, lines of key = \"value\", and under [hooks] answers to what the capsule asks while it is installed")
	f.BoolVar(&o.force, "force", false, "install an older version, or one that leaves a capsule without a provider")
	f.BoolVar(&o.replace, "replace", false, "remove capsules that export the same interfaces")
	f.BoolVar(&o.keep, "keep", false, "keep them")
	f.BoolVar(&o.build, "build", false, "build source that is not yours: a clone of a repository that has no release, or what a project has in .astrid/capsules")
	f.BoolVar(&o.offline, "offline", false, "do not use the network")
}

// asks tells whether there is somebody to answer questions.
func (o *installOptions) asks() bool { return !o.yes && o.sys.IsTerminal(o.sys.Stdin) }

// origin says how sources may be used.
func (o *installOptions) origin(ctx context.Context) origin {
	out := origin{offline: o.offline, build: o.build}
	if o.asks() {
		out.ask = func(q string) (bool, error) { return o.sys.confirm(ctx, o.in, q, false) }
	}
	return out
}

const installHelp = `SOURCE is one of

  ./dir              the directory of a capsule; a project is built with astrid-build first
  ./name.capsule     an archive
  @org/name[@1.2.3]  a release on the host that capsules.base_url names (github.com)
  https://…          an archive anywhere; #blake3=HEX or #sha256=HEX at its end pins it

What is downloaded must have the checksum that is published beside it. What the capsule may
do is shown, and how it differs from the version that it replaces, before anything is
written. Agreeing makes capability tokens for exactly the hosts that are named; "astrid
caps" lists and revokes them.

Settings are asked for on a terminal, or given with --set, with --answers, or as environment
variables ASTRID_ANSWER_<KEY>; in the first two {{ NAME }} stands for the environment
variable NAME. Settings that were given before are kept. A failure or a crash leaves the
previous state as it was.`

func newCapsuleInstall(sys System) *cobra.Command {
	o := &installOptions{sys: sys, in: bufio.NewReader(sys.Stdin)}
	cmd := &cobra.Command{
		Use: "install SOURCE", Short: "Install a capsule, or another version of it", Long: "Install a capsule, or another version of it.\n\n" + installHelp,
		Example: `  astrid capsule install ./demo
  astrid capsule install @unicity-astrid/capsule-fs@0.1.0
  astrid capsule install https://example.com/demo.capsule --yes --set api_key='{{ API_KEY }}'`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.canAgree(); err != nil {
				return err
			}
			c, err := openCapsules(sys)
			if err != nil {
				return err
			}
			return o.run(cmd.Context(), c, "", args[0], "")
		},
	}
	o.flags(cmd)
	return cmd
}

// canAgree refuses where nobody could say yes, and flags that contradict each other.
func (o *installOptions) canAgree() error {
	if o.replace && o.keep {
		return fail(ExitUsage, "--replace and --keep contradict each other")
	}
	if !o.yes && !o.asks() {
		return fail(ExitUsage, "nobody can be asked here: look at the capsule's %s, then add --yes", capsule.ManifestName)
	}
	return nil
}

// run installs source. With a name it must be the capsule of that name. have is the hash of
// the archive that need not be installed again, because it is: that is errUnchanged.
func (o *installOptions) run(ctx context.Context, c *capsules, name, source, have string) error {
	scratch, err := os.MkdirTemp("", "astrid-install-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	f, err := c.packageOf(ctx, source, scratch, have, o.origin(ctx))
	if err != nil {
		return err
	}
	m, hash, err := store.InspectPath(f.path)
	if err != nil {
		return err
	}
	switch {
	case name != "" && m.ID() != name:
		return fail(ExitError, "%s is the capsule %s, not %s", source, m.ID(), name)
	case f.version != "" && m.Package.Version.String() != f.version:
		return fail(ExitError, "%s holds version %s", source, m.Package.Version)
	case have != "" && hash == have:
		return errUnchanged
	}
	return o.install(ctx, c, m, f)
}

// install installs a package that was inspected, after all questions.
func (o *installOptions) install(ctx context.Context, c *capsules, m *capsule.Manifest, f found) error {
	if err := c.recover(); err != nil {
		return err
	}
	previous, err := c.store.Get(m.ID())
	if err != nil && !errors.Is(err, store.ErrNotInstalled) {
		return err
	}
	if c.hooks, err = o.sys.hookAnswers(o.answersFile); err != nil {
		return err
	}
	if o.asks() {
		c.hooks.in = o.in
	}
	env, err := o.foreseen(c, m)
	if err != nil {
		return err
	}
	o.show(m, previous.Manifest, env)
	if meta := previous.Meta; meta != nil && !sameSource(meta.Source, f.source) {
		fmt.Fprintf(o.sys.Stderr, "  comes from %s, and the installed one from %s, whose settings, secrets and grants it gets: `astrid capsule remove --purge %s` ends them first\n",
			oneLine(f.source), oneLine(orUnknown(meta.Source)), m.ID())
	}
	all, err := c.store.List()
	if err != nil {
		return err
	}
	gone, err := o.replaced(ctx, all, m)
	if err != nil {
		return err
	}
	if err := o.check(all, m, previous.Manifest, gone); err != nil {
		return err
	}
	if o.asks() {
		if ok, err := o.sys.confirm(ctx, o.in, "Install it?", false); err != nil || !ok {
			return errors.Join(err, fail(ExitError, "nothing was installed"))
		}
	}
	set, err := o.answers(ctx, c, m)
	if err != nil {
		return err
	}
	installed, err := c.put(ctx, m, f, set)
	if err != nil {
		return err
	}
	if err := compileAhead(ctx, o.sys, c.home, []store.Installed{installed}); err != nil {
		return err
	}
	if err := c.relock(); err != nil {
		return err
	}
	for _, name := range gone {
		// What needs the old one finds the new one, or check has refused.
		if err := c.remove(ctx, name, removeOptions{force: o.force}); err != nil {
			return fmt.Errorf("%s %s is installed, but %s stays: %w", m.ID(), m.Package.Version, name, err)
		}
	}
	if off, err := c.state.Disabled(); err != nil || off[m.ID()] {
		o.sys.notef("%s %s is installed; it is disabled, `astrid capsule enable %s` turns it on", m.ID(), m.Package.Version, m.ID())
		return errors.Join(err, reload(ctx, c.home))
	}
	return c.live(ctx, m.ID(), m.Package.Version.String())
}

// sameSource tells whether two packages come from one place, whatever their versions.
func sameSource(a, b string) bool {
	if a == b {
		return true
	}
	x, xerr := remote.Parse(a)
	y, yerr := remote.Parse(b)
	if xerr != nil || yerr != nil || x.URL != nil || y.URL != nil {
		return false
	}
	x.Version, y.Version = "", ""
	return x.String() == y.String()
}

func (o *installOptions) answers(ctx context.Context, c *capsules, m *capsule.Manifest) (map[string]string, error) {
	before, err := c.settings.Load(m)
	if err != nil {
		return nil, err
	}
	return o.settings(ctx, m, before)
}

// foreseen are the settings of a capsule as far as they are known before anybody is asked.
func (o *installOptions) foreseen(c *capsules, m *capsule.Manifest) (map[string]string, error) {
	set, err := c.settings.Look(m)
	if err != nil {
		return nil, err
	}
	given, err := o.sys.gather(o.answersFile, o.set)
	if err != nil {
		return nil, err
	}
	for key := range m.Env {
		if value, ok, err := given.answer(key); err == nil && ok { // an error is met, and told, when it is asked for
			set[key] = value
		}
	}
	env, _, err := m.ResolveEnv(set)
	if err != nil {
		return nil, nil // so are values that cannot be
	}
	return env, nil
}

// recover undoes what a killed command has left, so that what is compared with is whole.
func (c *capsules) recover() error {
	names, err := c.store.Recover()
	for _, n := range names {
		c.sys.notef("an interrupted change of %s was undone", n)
	}
	return err
}

// show tells who the capsule is, what it may do, and what changes.
func (o *installOptions) show(m, previous *capsule.Manifest, env map[string]string) {
	w := o.sys.Stderr
	fmt.Fprintf(w, "%s %s", m.ID(), m.Package.Version)
	if m.Package.Description != "" {
		fmt.Fprintf(w, ": %s", clip(oneLine(m.Package.Description)))
	}
	fmt.Fprintln(w)
	if previous == nil {
		for _, line := range review(grants(m), env) {
			fmt.Fprintf(w, "  %s\n", line)
		}
		return
	}
	fmt.Fprintf(w, "  replaces version %s\n", previous.Package.Version)
	diff := changes(m, previous)
	for _, line := range review(diff, env) {
		fmt.Fprintf(w, "  %s\n", line)
	}
	if len(diff) == 0 {
		fmt.Fprintln(w, "  it may do what it could do before")
	}
}

// check refuses what would leave the agent in a worse state, unless it is forced. gone are
// the capsules that m replaces.
func (o *installOptions) check(all []store.Installed, m, previous *capsule.Manifest, gone []string) error {
	if o.force {
		return nil
	}
	if previous != nil && m.Package.Version.Compare(previous.Package.Version) < 0 {
		return fail(ExitError, "%s %s is older than the installed %s: add --force to go back", m.ID(), m.Package.Version, previous.Package.Version)
	}
	if refused := newlyRefused(all, m, gone); len(refused) > 0 {
		return fail(ExitError, "after this, capsules could not run (--force installs anyway):\n  %s", strings.Join(refused, "\n  "))
	}
	return nil
}

// newlyRefused lists the capsules that could run before m was there, and could not after,
// m included.
func newlyRefused(all []store.Installed, m *capsule.Manifest, gone []string) []string {
	var before, after []*capsule.Manifest
	for _, i := range all {
		if i.Manifest == nil {
			continue
		}
		before = append(before, i.Manifest)
		if i.Name != m.ID() && !slices.Contains(gone, i.Name) {
			after = append(after, i.Manifest)
		}
	}
	bad := make(map[string]bool)
	for _, r := range capsule.Resolve(before).Refused {
		bad[r.Manifest.ID()] = true
	}
	var out []string
	for _, r := range capsule.Resolve(append(after, m)).Refused {
		if id := r.Manifest.ID(); id == m.ID() || !bad[id] {
			out = append(out, id+": "+r.Reason)
		}
	}
	return out
}

// put writes settings and consent and then the capsule, which is one rename. The capsule
// comes last, so that a crash before leaves the old one with settings that it ignores; an
// error puts the old ones back.
func (c *capsules) put(ctx context.Context, m *capsule.Manifest, f found, env map[string]string) (store.Installed, error) {
	restore, err := keepFiles(capsule.ConsentPath(c.principal.Root(), m.ID()))
	if err != nil {
		return store.Installed{}, err
	}
	unset, err := c.settings.Keep(m)
	if err != nil {
		return store.Installed{}, err
	}
	installed, err := func() (store.Installed, error) {
		if len(env) > 0 {
			if err := c.settings.Save(m, env); err != nil {
				return store.Installed{}, err
			}
		}
		if err := consent(c.settings, []*capsule.Manifest{m}); err != nil {
			return store.Installed{}, err
		}
		// A module that could never be loaded is refused now, with the reason.
		c.store.Prepare = func(ctx context.Context, _ *capsule.Manifest, binary []byte) error { return wasm.Check(ctx, binary) }
		// What is installed must be what was shown.
		return c.store.InstallPath(ctx, f.path, store.InstallOptions{Name: m.ID(), ManifestHash: m.Hash, Source: f.source})
	}()
	if err != nil {
		return installed, errors.Join(err, restore(), unset())
	}
	return installed, nil
}

// keepFiles remembers files and returns what puts them back as they were.
func keepFiles(paths ...string) (restore func() error, err error) {
	kept := make(map[string][]byte)
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if err == nil {
			kept[p] = b
		}
	}
	return func() error {
		var errs []error
		for _, p := range paths {
			if b, ok := kept[p]; ok {
				errs = append(errs, capsule.WriteFileAtomic(p, b, 0o600))
			} else if err := os.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, err)
			}
		}
		return errors.Join(errs...)
	}, nil
}
