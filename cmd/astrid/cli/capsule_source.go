package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/capsule/remote"
	"github.com/unicity-astrid/astrid-go/capsule/store"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/client"
	"github.com/unicity-astrid/astrid-go/kernel/config"
	"github.com/unicity-astrid/astrid-go/kernel/home"
	"github.com/unicity-astrid/astrid-go/kernel/trust"
)

// origin is where a capsule comes from, and how it may be fetched.
type origin struct {
	offline bool // refuse the network
	build   bool // build the source of a repository that has no release
	ask     func(question string) (bool, error)
}

// found is a package that can be installed.
type found struct {
	path    string // an archive or a prepared directory
	source  string // what to record, for a later update
	version string // what the source demands; "" is any
}

// errUnchanged says that a source has what is installed already.
var errUnchanged = errors.New("nothing newer")

// packageOf finds what can be installed at source: an archive, a prepared directory, or the
// archive that it builds of a project. scratch is where it may write. have is the hash of
// the archive that is installed; a release with that hash is errUnchanged.
func (c *capsules) packageOf(ctx context.Context, source, scratch, have string, o origin) (found, error) {
	if name, ok := strings.CutPrefix(source, builtin); ok {
		return unpackBuiltin(name, scratch)
	}
	if remote.Is(source) {
		return c.fetch(ctx, source, scratch, have, o)
	}
	if strings.HasPrefix(source, "openclaw:") {
		return found{}, fail(ExitUsage, "%s: OpenClaw plugins are not supported", source)
	}
	name := source
	if !filepath.IsAbs(source) {
		dir, err := c.sys.Getwd()
		if err != nil {
			return found{}, err
		}
		source = filepath.Join(dir, source)
	}
	f := found{path: source, source: source}
	info, err := os.Stat(source)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !strings.ContainsRune(name, filepath.Separator):
		return unpackBuiltin(name, scratch)
	case err != nil:
		return f, fail(ExitError, "there is nothing to install: %w", err)
	case !info.IsDir() && strings.HasSuffix(source, store.ArchiveSuffix):
		return f, nil
	case !info.IsDir():
		return f, fail(ExitError, "%s: want a %s file, or a directory with a %s", source, store.ArchiveSuffix, capsule.ManifestName)
	case !isProject(source):
		return f, nil
	}
	if offered(source) {
		if err := o.mayBuild(fmt.Sprintf("%s came with a project and is source", source), "Build it? The build runs on this machine"); err != nil {
			return f, err
		}
	}
	f.path = filepath.Join(scratch, "built"+store.ArchiveSuffix)
	return f, runBuild(ctx, c.sys, io.Discard, "-o", f.path, source)
}

// offered tells whether a directory is among the capsules that a project offers: it is somebody else's, and building source can
// run what they wrote before it was shown what the capsule may do.
func offered(dir string) bool {
	return strings.HasSuffix(filepath.Dir(filepath.Clean(dir)), string(filepath.Separator)+filepath.FromSlash(trust.OffersDir))
}

// mayBuild refuses to build what is not the user's own, unless they agreed to that.
func (o origin) mayBuild(what, question string) error {
	switch {
	case o.build:
		return nil
	case o.ask == nil:
		return fail(ExitError, "%s: --build builds it, on this machine", what)
	}
	ok, err := o.ask(what + ". " + question)
	if err == nil && !ok {
		err = fail(ExitError, "nothing was installed")
	}
	return err
}

// fetch downloads a release, or builds the source when there is none and the user agrees.
func (c *capsules) fetch(ctx context.Context, text, scratch, have string, o origin) (found, error) {
	s, err := remote.Parse(text)
	if err != nil {
		return found{}, fail(ExitUsage, "%w", err)
	}
	cl, err := c.sys.remote(c.home, o.offline)
	if err != nil {
		return found{}, err
	}
	f := found{source: s.String(), version: s.Version}
	r, err := cl.Find(ctx, s)
	if errors.Is(err, remote.ErrNotFound) && s.URL == nil {
		ok := o.build
		if !ok && o.ask != nil {
			c.sys.notef("%v", err)
			if ok, err = o.ask("Clone and build its source? The build runs on this machine"); err != nil {
				return f, err
			}
			if !ok {
				return f, fail(ExitError, "nothing was installed")
			}
		}
		if ok {
			f.path, err = c.buildClone(ctx, cl, s, scratch)
			return f, err
		}
		return f, fail(ExitError, "%w; --build clones and builds its source", err)
	}
	if err != nil {
		return f, err
	}
	if have != "" && r.Sum.Algorithm == "blake3" && r.Sum.Hex == have {
		return f, errUnchanged
	}
	f.path, err = cl.Fetch(ctx, r, scratch)
	c.sys.progressDone()
	return f, err
}

// remote makes the client of the release host that the configuration names.
func (s System) remote(h home.Home, offline bool) (*remote.Client, error) {
	cfg, err := config.Load(config.Options{UserFile: h.ConfigFile(), LookupEnv: s.Getenv})
	if err != nil {
		return nil, err
	}
	o := remote.Options{Base: cfg.Capsules.BaseURL, Idle: cfg.Capsules.Timeout, Offline: offline}
	if s.draws() {
		o.Progress = func(done, total int64) {
			if total > 0 {
				fmt.Fprintf(s.Stderr, "\r\x1b[Kdownloading %.1f of %.1f MiB", mib(done), mib(total))
			} else {
				fmt.Fprintf(s.Stderr, "\r\x1b[Kdownloading %.1f MiB", mib(done))
			}
		}
	}
	return remote.New(o)
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

// progressDone takes the line of the progress away.
func (s System) progressDone() {
	if s.draws() {
		fmt.Fprint(s.Stderr, "\r\x1b[K")
	}
}

// isProject tells whether a directory has to be built: it has source, or no manifest.
func isProject(dir string) bool {
	if _, err := os.Stat(filepath.Join(dir, capsule.ManifestName)); err != nil {
		return true // astrid-build knows what else it may be, or says what is missing
	}
	if _, err := os.Stat(filepath.Join(dir, "Cargo.toml")); err == nil {
		return true
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false // reading it again will say why
	}
	for _, e := range entries {
		if e.Type().IsRegular() && filepath.Ext(e.Name()) == ".go" {
			return true
		}
	}
	return false
}

// buildClone clones the source of a repository and builds it. Compilers look for settings in all directories above, and some
// name programs to run: so none of these may be anybody's, as /tmp is.
func (c *capsules) buildClone(ctx context.Context, cl *remote.Client, s remote.Source, scratch string) (string, error) {
	private, err := os.MkdirTemp(c.home.Var(), "source-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(private)
	clone := filepath.Join(private, "source")
	if err := cl.Clone(ctx, s, clone); err != nil {
		return "", err
	}
	path := filepath.Join(scratch, "built"+store.ArchiveSuffix)
	return path, runBuild(ctx, c.sys, io.Discard, "-o", path, clone)
}

// runBuild runs astrid-build. Its exit code becomes that of the command.
func runBuild(ctx context.Context, sys System, stdout io.Writer, args ...string) error {
	path, err := client.Binary("astrid-build")
	if err != nil {
		return err
	}
	dir, err := sys.Getwd()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = dir
	cmd.Stdout, cmd.Stderr = stdout, sys.Stderr
	err = cmd.Run()
	if exit, ok := err.(*exec.ExitError); ok && exit.ExitCode() > 0 {
		return &exitError{code: exit.ExitCode()} // it has said why
	}
	if err != nil {
		return fmt.Errorf("astrid-build: %w", err)
	}
	return nil
}
