package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/unicity-astrid/astrid-go/kernel/config"
	"github.com/unicity-astrid/astrid-go/kernel/home"
	"github.com/unicity-astrid/astrid-go/kernel/secrets"
)

// tree checks the home's directories, owner and layout.
func (r *report) tree() {
	root := r.o.Home.Root()
	if _, err := os.Lstat(root); errors.Is(err, fs.ErrNotExist) {
		r.add("home", Warn, root+" does not exist yet", "run: astrid init")
		return
	}
	if err := r.o.Home.Ensure(); err != nil {
		var known *home.Error
		if errors.As(err, &known) {
			r.add("home", Fail, known.Path+": "+known.Problem, known.Fix)
		} else {
			r.fail("home", err, "")
		}
		return
	}
	r.made = true
	r.add("home", OK, root, "")
	if _, err := r.o.Home.SocketPath(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.fail("socket", err, "set ASTRID_HOME to a shorter path")
	}
}

// secrets checks that nobody else can read keys and tokens.
func (r *report) secrets() {
	var open []string
	look := func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := d.Info()
		if err != nil {
			return err
		}
		if fi.Mode().Perm()&0o077 != 0 {
			open = append(open, path)
		}
		return nil
	}
	err := filepath.WalkDir(r.o.Home.KeysDir(), look)
	if fi, serr := os.Lstat(r.o.Home.TokenFile()); serr == nil && fi.Mode().Perm()&0o077 != 0 {
		open = append(open, r.o.Home.TokenFile())
	}
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		r.fail("keys", err, "")
	case len(open) > 0:
		r.add("keys", Fail, "others may read "+strings.Join(open, ", "), "run: chmod -R go= "+r.o.Home.KeysDir()+" "+r.o.Home.TokenFile())
	default:
		r.add("keys", OK, "readable by you alone", "")
	}
}

// store is the store of secrets; where its key is was decided when the first secret was stored.
func (r *report) store() *secrets.Store { return secrets.Open(r.o.Home, secrets.Options{}) }

// sealed checks that the secrets of the default principal can be read.
func (r *report) sealed() {
	st := r.store()
	list, err := st.List(home.DefaultPrincipal, "")
	if err != nil {
		r.fail("secrets", err, "")
		return
	}
	for _, e := range list {
		switch _, err := st.Get(e.Principal, e.Capsule, e.Name); {
		case errors.Is(err, secrets.ErrKey):
			r.fail("secrets", err, "") // which says what to do
			return
		case err != nil:
			r.fail("secrets", err, "run: astrid secret set "+e.Capsule+" "+e.Name)
			return
		}
	}
	r.add("secrets", OK, fmt.Sprintf("%d stored, all can be read", len(list)), "")
}

// Free space below which the disk is short, in bytes.
const (
	shortDisk = 1 << 30
	fullDisk  = 64 << 20
)

// disk checks the room for state, audit log and overlays.
func (r *report) disk() {
	var st unix.Statfs_t
	if err := unix.Statfs(r.o.Home.Root(), &st); err != nil {
		r.add("disk", Skip, err.Error(), "")
		return
	}
	free := uint64(st.Bavail) * uint64(st.Bsize)
	text := fmt.Sprintf("%.1f GiB free in %s", float64(free)/(1<<30), r.o.Home.Root())
	switch {
	case free < fullDisk:
		r.add("disk", Fail, text+": decisions cannot be recorded without room, so nothing would run", "free some space, or run: astrid gc")
	case free < shortDisk:
		r.add("disk", Warn, text, "free some space, or run: astrid gc")
	default:
		r.add("disk", OK, text, "")
	}
}

// configuration checks the files as the daemon would read them here.
func (r *report) configuration() {
	cfg, err := config.Load(config.Options{UserFile: r.o.Home.ConfigFile(), WorkspaceRoot: r.o.Workspace, LookupEnv: r.o.Getenv})
	if err != nil {
		r.fail("configuration", err, "correct the file")
		return
	}
	for _, n := range cfg.Notices {
		r.add("configuration", Warn, n.String(), "")
	}
	if len(cfg.Notices) == 0 {
		r.add("configuration", OK, fmt.Sprintf("%d file(s) read, mode %s", len(cfg.Files), cfg.Workspace.Mode), "")
	}
}
