package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/capsule/store"
	"github.com/unicity-astrid/astrid-go/capsule/watch"
)

func newCapsuleDev(sys System) *cobra.Command {
	o := &installOptions{sys: sys, in: bufio.NewReader(sys.Stdin)}
	cmd := &cobra.Command{
		Use:   "dev [DIR]",
		Short: "Build and install a capsule, and again each time its source changes",
		Long: `Build and install a capsule, and again each time its source changes, until Ctrl+C. A running
daemon takes each build at once; calls that have begun are finished by the one before.

What the capsule may do is shown and agreed to first. A build that wants more is asked about;
where nobody can be asked, or with --yes, it is not installed: start dev again to agree. A
build that fails changes nothing.`,
		Example: "  astrid capsule dev ./demo",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.canAgree(); err != nil {
				return err
			}
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			c, err := openCapsules(sys)
			if err != nil {
				return err
			}
			return o.dev(cmd.Context(), c, dir)
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&o.yes, "yes", "y", false, "agree to what the first build may do")
	f.StringArrayVar(&o.set, "set", nil, "a setting of the capsule: `KEY=VALUE`; repeatable")
	f.StringVar(&o.answersFile, "answers", "", "a `FILE` with settings: lines of key = \"value\"")
	return cmd
}

// dev installs dir now and after each change.
func (o *installOptions) dev(ctx context.Context, c *capsules, dir string) error {
	if !filepath.IsAbs(dir) {
		cwd, err := o.sys.Getwd()
		if err != nil {
			return err
		}
		dir = filepath.Join(cwd, dir)
	}
	if fi, err := os.Stat(dir); err != nil || !fi.IsDir() {
		return fail(ExitUsage, "%s is not a directory", dir)
	}
	o.force, o.keep = true, true
	d := &devLoop{o: o, c: c, dir: dir}
	var err error
	if d.source, err = watch.Digest(dir); err != nil {
		return err
	}
	if err := d.first(ctx); err != nil {
		return err
	}
	o.sys.notef("watching %s; Ctrl+C ends it", dir)
	if err := watch.Watch(ctx, watch.Options{Roots: []string{dir}}, d.changed); err != nil {
		return err
	}
	o.sys.notef("%s stays installed; `astrid capsule remove %s` removes it", d.agreed.ID(), d.agreed.ID())
	return nil
}

// devLoop is one run of dev.
type devLoop struct {
	o      *installOptions
	c      *capsules
	dir    string
	source string            // digest of what was built last
	built  string            // hash of the archive that was installed last
	agreed *capsule.Manifest // what the user has agreed to
}

// build builds what is there and returns what was built; scratch holds it.
func (d *devLoop) build(ctx context.Context, scratch string) (f found, m *capsule.Manifest, hash string, err error) {
	if f, err = d.c.packageOf(ctx, d.dir, scratch, "", d.o.origin(ctx)); err == nil {
		m, hash, err = store.InspectPath(f.path)
	}
	return f, m, hash, err
}

// first installs with all questions.
func (d *devLoop) first(ctx context.Context) error {
	return d.inScratch(func(scratch string) error {
		f, m, hash, err := d.build(ctx, scratch)
		if err != nil {
			return err
		}
		if err := d.o.install(ctx, d.c, m, f); err != nil {
			return err
		}
		d.agreed, d.built = m, hash
		return nil
	})
}

func (d *devLoop) inScratch(fn func(scratch string) error) error {
	scratch, err := os.MkdirTemp("", "astrid-dev-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	return fn(scratch)
}

// changed builds and installs again, if anything is different. What goes wrong is shown, and
// the next change is another chance.
func (d *devLoop) changed(ctx context.Context) {
	err := d.inScratch(func(scratch string) error { return d.again(ctx, scratch) })
	if err != nil && ctx.Err() == nil {
		if err.Error() != "" {
			d.o.sys.notef("%v", err)
		}
		d.o.sys.notef("the version before stays")
	}
}

func (d *devLoop) again(ctx context.Context, scratch string) error {
	source, err := watch.Digest(d.dir)
	if err != nil || source == d.source {
		return err
	}
	d.source = source
	f, m, hash, err := d.build(ctx, scratch)
	if err != nil {
		return err
	}
	if hash == d.built {
		d.o.sys.notef("built, nothing is different")
		return nil
	}
	if m.ID() != d.agreed.ID() {
		return fail(ExitError, "it is called %s now, it was %s: start dev again", m.ID(), d.agreed.ID())
	}
	if diff := changes(m, d.agreed); len(diff) > 0 {
		if err := d.agree(ctx, diff); err != nil {
			return err
		}
	}
	quiet := *d.o
	quiet.yes = true
	if err := quiet.install(ctx, d.c, m, f); err != nil {
		return err
	}
	d.agreed, d.built = m, hash
	return nil
}

// agree asks about what a build may do that the one before might not. What only goes needs no
// question.
func (d *devLoop) agree(ctx context.Context, diff []string) error {
	var more []string
	for _, line := range diff {
		if strings.HasPrefix(line, "+") {
			more = append(more, line)
		}
	}
	if len(more) == 0 {
		return nil
	}
	for _, line := range more {
		fmt.Fprintf(d.o.sys.Stderr, "  %s\n", inWords(line, nil))
	}
	if !d.o.asks() {
		return fail(ExitError, "it wants more than was agreed to: start dev again to agree")
	}
	ok, err := d.o.sys.confirm(ctx, d.o.in, "Is it to have that?", false)
	if err == nil && !ok {
		err = fail(ExitError, "not agreed")
	}
	return errors.Join(err)
}
