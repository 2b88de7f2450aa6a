package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/capsule/store"
)

type installOptions struct {
	sys   System
	set   []string
	yes   bool
	force bool
}

func (o *installOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVarP(&o.yes, "yes", "y", false, "agree to what the capsule may do; needed where nobody can be asked")
	f.StringArrayVar(&o.set, "set", nil, "a setting of the capsule: `KEY=VALUE`; repeatable")
	f.BoolVar(&o.force, "force", false, "install an older version, or one that leaves a capsule without a provider")
}

// asks tells whether there is somebody to answer questions.
func (o *installOptions) asks() bool { return !o.yes && o.sys.IsTerminal(o.sys.Stdin) }

const installHelp = `SOURCE is a .capsule archive, or the directory of a capsule; one with Go files is built
with astrid-build first. What the capsule may do is shown, and how it differs from the
version that it replaces, before anything is written. Agreeing makes capability tokens for
exactly the hosts that are named; "astrid caps" lists and revokes them.

Settings are asked for on a terminal, or given with --set. Settings that were given before
are kept. A failure or a crash leaves the previous state as it was.`

func newCapsuleInstall(sys System) *cobra.Command {
	o := &installOptions{sys: sys}
	cmd := &cobra.Command{
		Use: "install SOURCE", Short: "Install a capsule, or another version of it", Long: "Install a capsule, or another version of it.\n\n" + installHelp,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), "", args[0]) },
	}
	o.flags(cmd)
	return cmd
}

func newCapsuleUpdate(sys System) *cobra.Command {
	o := &installOptions{sys: sys}
	cmd := &cobra.Command{
		Use: "update NAME SOURCE", Short: "Replace an installed capsule by another version", Long: "Replace an installed capsule by another version of it.\n\n" + installHelp,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), args[0], args[1]) },
	}
	o.flags(cmd)
	return cmd
}

// run installs source. With a name it must be the capsule of that name, and installed.
func (o *installOptions) run(ctx context.Context, name, source string) error {
	if !o.yes && !o.asks() {
		return fail(ExitUsage, "nobody can be asked here: look at the capsule's %s, then add --yes", capsule.ManifestName)
	}
	c, err := openCapsules(o.sys)
	if err != nil {
		return err
	}
	if name != "" {
		if name, err = c.exists(name); err != nil {
			return err
		}
	}
	path, done, err := packageOf(ctx, o.sys, source)
	defer done()
	if err != nil {
		return err
	}
	m, err := store.Inspect(path)
	if err != nil {
		return err
	}
	if name != "" && m.ID() != name {
		return fail(ExitError, "%s is the capsule %s, not %s", source, m.ID(), name)
	}
	if err := c.recover(); err != nil {
		return err
	}
	previous, err := c.store.Get(m.ID())
	if err != nil && !errors.Is(err, store.ErrNotInstalled) {
		return err
	}
	o.show(m, previous.Manifest)
	if err := o.check(c, m, previous.Manifest); err != nil {
		return err
	}
	in := bufio.NewReader(o.sys.Stdin)
	if o.asks() {
		if ok, err := o.sys.confirm(in, "Install it?", false); err != nil || !ok {
			return errors.Join(err, fail(ExitError, "nothing was installed"))
		}
	}
	env, err := o.answers(c, m, in)
	if err != nil {
		return err
	}
	installed, err := c.put(ctx, m, path, env)
	if err != nil {
		return err
	}
	if err := compileAhead(ctx, o.sys, c.home, []store.Installed{installed}); err != nil {
		return err
	}
	if off, err := c.state.Disabled(); err != nil || off[m.ID()] {
		o.sys.notef("%s %s is installed; it is disabled, `astrid capsule enable %s` turns it on", m.ID(), m.Package.Version, m.ID())
		return errors.Join(err, reload(ctx, c.home))
	}
	return c.live(ctx, m.ID(), m.Package.Version.String())
}

func (o *installOptions) answers(c *capsules, m *capsule.Manifest, in *bufio.Reader) (map[string]string, error) {
	before, err := c.settings.Load(m)
	if err != nil {
		return nil, err
	}
	return o.settings(m, before, in)
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
func (o *installOptions) show(m, previous *capsule.Manifest) {
	w := o.sys.Stderr
	fmt.Fprintf(w, "%s %s", m.ID(), m.Package.Version)
	if m.Package.Description != "" {
		fmt.Fprintf(w, ": %s", oneLine(m.Package.Description))
	}
	fmt.Fprintln(w)
	if previous == nil {
		for _, g := range grants(m) {
			fmt.Fprintf(w, "  %s\n", oneLine(g))
		}
		return
	}
	fmt.Fprintf(w, "  replaces version %s\n", previous.Package.Version)
	diff := changes(m, previous)
	for _, g := range diff {
		fmt.Fprintf(w, "  %s\n", oneLine(g))
	}
	if len(diff) == 0 {
		fmt.Fprintln(w, "  it may do what it could do before")
	}
}

// check tells about others that export the same, and refuses what would leave the agent
// in a worse state, unless it is forced.
func (o *installOptions) check(c *capsules, m, previous *capsule.Manifest) error {
	all, err := c.store.List()
	if err != nil {
		return err
	}
	for _, e := range m.Exports {
		for _, other := range all {
			if v := exportOf(other, e.Interface); v != "" && other.Name != m.ID() {
				o.sys.notef("%s %s is exported by %s %s too; both stay: `astrid capsule disable NAME` switches one off", e.Interface, e.Version, other.Name, v)
			}
		}
	}
	if o.force {
		return nil
	}
	if previous != nil && m.Package.Version.Compare(previous.Package.Version) < 0 {
		return fail(ExitError, "%s %s is older than the installed %s: add --force to go back", m.ID(), m.Package.Version, previous.Package.Version)
	}
	if refused := newlyRefused(all, m); len(refused) > 0 {
		return fail(ExitError, "after this, capsules could not run (--force installs anyway):\n  %s", strings.Join(refused, "\n  "))
	}
	return nil
}

// exportOf is the version of an interface that a capsule exports, "" for none.
func exportOf(i store.Installed, want capsule.Interface) string {
	if i.Manifest == nil {
		return ""
	}
	for _, e := range i.Manifest.Exports {
		if e.Interface == want {
			return e.Version.String()
		}
	}
	return ""
}

// newlyRefused lists the capsules that could run before m was there, and could not after,
// m included.
func newlyRefused(all []store.Installed, m *capsule.Manifest) []string {
	var before, after []*capsule.Manifest
	for _, i := range all {
		if i.Manifest == nil {
			continue
		}
		before = append(before, i.Manifest)
		if i.Name != m.ID() {
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
func (c *capsules) put(ctx context.Context, m *capsule.Manifest, path string, env map[string]string) (store.Installed, error) {
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
		// What is installed must be what was shown.
		return c.store.InstallPath(ctx, path, store.InstallOptions{Name: m.ID(), ManifestHash: m.Hash})
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
