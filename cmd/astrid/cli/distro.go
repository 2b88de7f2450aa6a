package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/capability"
	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/capsule/distro"
)

func newDistro(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "distro",
		Short: "Show, check, update and export the installed distribution",
		Long: `Show, check, update and export the installed distribution. "astrid init" installs one.

Exit codes: 0 done or as locked, 1 it failed or is not as locked, 2 the command line is wrong.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newDistroShow(sys), newDistroVerify(sys), newDistroUpdate(sys), newDistroExport(sys))
	return cmd
}

// theDistro is the installed distribution.
type theDistro struct {
	*capsules
	lock   *distro.Lock
	origin distroOrigin
}

func openInstalled(sys System) (*theDistro, error) {
	c, err := openCapsules(sys)
	if err != nil {
		return nil, err
	}
	d := &theDistro{capsules: c}
	if d.lock, err = c.lock(); err != nil {
		return nil, err
	}
	if d.lock == nil {
		return nil, fail(ExitError, "no distribution is installed; `astrid init` installs one")
	}
	d.origin, err = loadOrigin(c.principal)
	return d, err
}

// lockedInfo is one capsule of the lock in the output of show and verify.
type lockedInfo struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Source  string `json:"source"`
	Hash    string `json:"hash,omitempty"`
	Archive string `json:"archive,omitempty"`
	Problem string `json:"problem,omitempty"` // how what is installed differs
}

// check compares every capsule with the lock.
func (d *theDistro) check() []lockedInfo {
	out := make([]lockedInfo, len(d.lock.Capsules))
	for i, e := range d.lock.Capsules {
		out[i] = lockedInfo{Name: e.Name, Version: e.Version, Source: e.Source, Hash: e.Hash, Archive: e.Archive}
		if err := d.compare(e); err != nil {
			out[i].Problem = printable(err.Error())
		}
	}
	return out
}

func (d *theDistro) compare(e distro.LockEntry) error {
	if err := d.store.Verify(e.Name); err != nil {
		return err
	}
	i, err := d.store.Get(e.Name)
	if err != nil {
		return err
	}
	switch {
	case i.Meta.Version != e.Version:
		return fmt.Errorf("version %s is installed, %s is locked", i.Meta.Version, e.Version)
	case i.Meta.WasmHash != e.WasmHash():
		return fmt.Errorf("the binary has blake3 %s, locked is %s", i.Meta.WasmHash, e.WasmHash())
	case e.Archive != "" && i.Meta.ArchiveHash != e.ArchiveHash():
		return fmt.Errorf("the archive had blake3 %s, locked is %s", i.Meta.ArchiveHash, e.ArchiveHash())
	}
	return nil
}

func newDistroShow(sys System) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "show", Short: "Show what is installed, from where", Example: "  astrid distro show --json", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			d, err := openInstalled(sys)
			if err != nil {
				return err
			}
			list := d.check()
			if asJSON {
				return writeJSON(sys.Stdout, struct {
					ID         string              `json:"id"`
					Version    string              `json:"version"`
					ResolvedAt string              `json:"resolved_at"`
					Source     string              `json:"source,omitempty"`
					Groups     map[string][]string `json:"groups,omitempty"`
					Capsules   []lockedInfo        `json:"capsules"`
				}{d.lock.Distro.ID, d.lock.Distro.Version, d.lock.Distro.ResolvedAt, d.origin.Distro, d.origin.Groups, list})
			}
			w := sys.Stdout
			fmt.Fprintf(w, "%s %s, from %s, locked %s\n", d.lock.Distro.ID, d.lock.Distro.Version, orUnknown(d.origin.Distro), d.lock.Distro.ResolvedAt)
			for _, g := range names(d.origin.Groups) {
				fmt.Fprintf(w, "%s: %s\n", g, strings.Join(short(d.origin.Groups[g]), ", "))
			}
			for _, e := range list {
				fmt.Fprintf(w, "  %-30s %-8s %s\n", e.Name, e.Version, e.Source)
				if e.Problem != "" {
					fmt.Fprintf(w, "    %s\n", e.Problem)
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func orUnknown(s string) string {
	if s == "" {
		return "an unknown place"
	}
	return s
}

func newDistroVerify(sys System) *cobra.Command {
	return &cobra.Command{
		Use: "verify", Short: "Check every installed byte of the distribution against its lock", Args: cobra.NoArgs,
		Example: "  astrid distro verify",
		RunE: func(*cobra.Command, []string) error {
			d, err := openInstalled(sys)
			if err != nil {
				return err
			}
			bad := 0
			for _, e := range d.check() {
				word := "ok"
				if e.Problem != "" {
					word = "differs"
					bad++
				}
				fmt.Fprintf(sys.Stdout, "%-8s %s %s\n", word, e.Name, e.Version)
				if e.Problem != "" {
					sys.notef("%s: %s", e.Name, e.Problem)
				}
			}
			if bad > 0 {
				return fail(ExitError, "%d of %d capsules are not as locked; `astrid distro update` installs them again", bad, len(d.lock.Capsules))
			}
			return nil
		},
	}
}

func newDistroUpdate(sys System) *cobra.Command {
	o := &initOptions{sys: sys, in: bufio.NewReader(sys.Stdin)}
	cmd := &cobra.Command{
		Use:   "update",
		Short: "Install the newest version of the distribution, and what is not as locked again",
		Long: `Install the newest version of the distribution from where it came, and again what is not
as it was locked. Providers and settings stay; only what is new is asked for.`,
		Example: "  astrid distro update --yes",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := openInstalled(sys)
			if err != nil {
				return err
			}
			if d.origin.Distro == "" {
				return fail(ExitError, "it is not recorded where %s came from: use `astrid init --distro …`", d.lock.Distro.ID)
			}
			o.distro = d.origin.Distro
			return o.update(cmd.Context(), d)
		},
	}
	o.flags(cmd)
	return cmd
}

// update installs what the origin has now, unless that is another distribution.
func (o *initOptions) update(ctx context.Context, d *theDistro) error {
	scratch, err := os.MkdirTemp("", "astrid-init-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	next, err := o.openDistro(ctx, d.home, d.capsules, scratch)
	if err != nil {
		return err
	}
	if id := next.manifest.Info.ID; id != d.lock.Distro.ID {
		return fail(ExitError, "%s is the distribution %s now, not %s: `astrid init --distro` installs it if you want that", o.distro, id, d.lock.Distro.ID)
	}
	if text, err := os.ReadFile(d.principal.DistroManifest()); err == nil {
		if before, err := distro.Parse(d.principal.DistroManifest(), text); err == nil {
			o.known = map[string]bool{}
			for name := range before.Variables {
				o.known[name] = true
			}
		}
	}
	// Whoever answers for the release host must not bring back what was mended.
	if have, err := capsule.ParseVersion(d.lock.Distro.Version); err == nil && next.manifest.Info.Version.Compare(have) < 0 {
		return fail(ExitError, "%s has %s %s, which is older than the installed %s: `astrid init --distro` goes back if you want that", o.distro, d.lock.Distro.ID, next.manifest.Info.Version, have)
	}
	fmt.Fprintf(o.sys.Stderr, "%s: installed is %s, %s has %s\n", d.lock.Distro.ID, d.lock.Distro.Version, o.distro, next.manifest.Info.Version)
	return o.install(ctx, d.capsules, next)
}

func newDistroExport(sys System) *cobra.Command {
	return &cobra.Command{
		Use:   "export FILE" + distro.BundleSuffix,
		Short: "Write one signed file with the distribution and all its capsules",
		Long: `Write one signed file with the distribution, its lock and all its capsules as they are
installed, for machines without a network. Settings and secrets are not in it.

"astrid init --distro FILE" there checks the signature. Tell its user the fingerprint that
is shown here on another way than the file.`,
		Example: "  astrid distro export team.distro",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			d, err := openInstalled(sys)
			if err != nil {
				return err
			}
			return d.export(args[0])
		},
	}
}

func (d *theDistro) export(path string) error {
	if !strings.HasSuffix(path, distro.BundleSuffix) {
		return fail(ExitUsage, "%s: its name must end in %s", path, distro.BundleSuffix)
	}
	if !filepath.IsAbs(path) {
		dir, err := d.sys.Getwd()
		if err != nil {
			return err
		}
		path = filepath.Join(dir, path)
	}
	text, err := os.ReadFile(d.principal.DistroManifest())
	if errors.Is(err, fs.ErrNotExist) {
		return fail(ExitError, "the Distro.toml of what is installed is not kept: run `astrid init` once more")
	}
	if err != nil {
		return err
	}
	m, err := distro.Parse(d.principal.DistroManifest(), text)
	if err != nil {
		return err
	}
	if !d.lock.Fresh(m) {
		return fail(ExitError, "the lock is of another distribution than the one installed last: run `astrid init` once more")
	}
	for _, e := range d.check() {
		if e.Problem != "" {
			return fail(ExitError, "%s is not as locked: %s", e.Name, e.Problem)
		}
	}
	key, err := capability.OpenKey(d.home.DistroKey())
	if err != nil {
		return err
	}
	defer key.Close()
	f, err := os.CreateTemp(filepath.Dir(path), capsule.TempPrefix+"*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails after the rename, as it should
	err = distro.WriteBundle(f, text, d.lock, d.store, key)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return err
	}
	d.sys.notef("%s: %s %s with %d capsules, signed by %s", path, d.lock.Distro.ID, d.lock.Distro.Version, len(d.lock.Capsules), distro.Fingerprint(key.Public()))
	_, err = fmt.Fprintln(d.sys.Stdout, path)
	return err
}
