package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// MaxOutput is how much of each stream of a child is kept, in bytes: its end.
const MaxOutput = 1 << 20

// ErrUnavailable is wrapped when no program can be started here at all. The error's text says what to do.
var ErrUnavailable = errors.New("programs cannot run here")

// unavailable is an ErrUnavailable with its remedy.
type unavailable struct{ reason, remedy string }

func (u *unavailable) Error() string {
	return ErrUnavailable.Error() + ": " + u.reason + ". " + u.remedy
}
func (u *unavailable) Unwrap() error { return ErrUnavailable }

// Options describes a box. Workspace, Upper and Work are absolute directories; the rest has working zero values.
type Options struct {
	// Workspace is the directory that the children see a copy-on-write view of, under its own path.
	Workspace string
	// Upper and Work are the overlayfs directories of that view. They must lie on one filesystem.
	Upper, Work string
	// Hidden are directories that no child sees, whatever else it is shown.
	Hidden []string
	// Readable are further directories that children see, read only.
	Readable []string
	// Home is the user's home directory: children find an empty one in its place. "" is os.UserHomeDir.
	Home string
	// Environ is where the environment of children is picked from; nil is os.Environ.
	Environ []string
	Limits  Limits
}

// Limits bound each process of a box, but for Processes, which bounds them together. Zero fields have the stated defaults. The
// keeper lives under them, too, so that the least are MinMemory, 64 processes and 256 open files.
type Limits struct {
	Memory    uint64        // bytes of private memory; 4 GiB
	FileSize  uint64        // bytes of one written file; 4 GiB
	CPU       time.Duration // processor time; 1 h
	Processes uint64        // processes and threads; 1024
	OpenFiles uint64        // descriptors; 16384
	Tmp       uint64        // bytes of /tmp and of the empty home, each; 1 GiB
}

// MinMemory is the least limit of memory, in bytes: the Go runtime takes that much in one piece.
const MinMemory = 256 << 20

func (l Limits) withDefaults() Limits {
	set := func(v *uint64, def, least uint64) {
		if *v == 0 {
			*v = def
		}
		*v = max(*v, least)
	}
	set(&l.Memory, 4<<30, MinMemory)
	set(&l.FileSize, 4<<30, 1)
	set(&l.Processes, 1024, 64)
	set(&l.OpenFiles, 16384, 256)
	set(&l.Tmp, 1<<30, 4096)
	if l.CPU <= 0 {
		l.CPU = time.Hour
	}
	return l
}

// Command is one program to run. There is no shell: Argv is what the program gets.
type Command struct {
	Path  string   // absolute, as Find returned it
	Argv  []string // Argv[0] is not used: the program is told Path
	Stdin []byte   // nil: end of file at once
	// Interactive keeps standard input open behind Stdin, for Child.Write.
	Interactive bool
	// Network lets it use the network of the machine. Then it cannot open Unix sockets, because those of the machine that
	// have no file would be in its reach.
	Network bool
	// Bare runs it outside of the sandbox: it sees the files, the environment and the network of the user. What it writes
	// to the workspace still goes to the overlay, Hidden still holds, and it still ends with its box.
	Bare bool
	// Covered is what the program does not see of the workspace, with Bare either (but on macOS). It must exist.
	Covered []Covered
}

// Covered is a file or directory of the workspace that a child finds empty, closed and not to be removed.
type Covered struct {
	Path     string // absolute
	Dir      bool   // it is a directory
	Readable bool   // it may be read, and not changed
}

// Exit is how a child ended.
type Exit struct {
	// Code is the exit status, 128+n after signal n, and -1 when the child was killed from outside: by Kill, or with its box.
	Code int
	// Err says that the program was not started, or that its end is not known.
	Err error
}

func (o *Options) setDefaults() error {
	if o.Environ == nil {
		o.Environ = os.Environ()
	}
	if o.Home == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			home = "/nonexistent" // nothing to hide
		}
		o.Home = home
	}
	o.Limits = o.Limits.withDefaults()
	for _, p := range []struct{ label, path string }{{"workspace", o.Workspace}, {"upper directory", o.Upper}, {"work directory", o.Work}} {
		if err := checkPath(p.label, p.path); err != nil {
			return err
		}
	}
	for _, list := range [][]string{o.Hidden, o.Readable} {
		for _, p := range list {
			if err := checkPath("directory", p); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkCommand refuses what cannot be an argument of a program.
func checkCommand(c *Command) error {
	if err := checkPath("program", c.Path); err != nil {
		return err
	}
	for _, cover := range c.Covered {
		if !filepath.IsAbs(cover.Path) {
			return fmt.Errorf("what is covered must be an absolute path, got: %s", cover.Path)
		}
	}
	for _, arg := range c.Argv {
		if strings.ContainsRune(arg, 0) {
			return fmt.Errorf("an argument contains NUL: %q", arg)
		}
	}
	return nil
}
