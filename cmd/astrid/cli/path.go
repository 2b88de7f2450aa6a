package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/capsule"
)

func newPath(sys System) *cobra.Command {
	var shell string
	cmd := &cobra.Command{
		Use:   "path",
		Short: "Put the directory of astrid on your PATH, or take it off again",
		Long: `Put the directory of astrid on your PATH, or take it off again.

add writes a few marked lines to the start-up file of your shell: bash (~/.bashrc, on macOS
~/.bash_profile if there is one), zsh (~/.zshrc) or fish (a file of its own below
~/.config/fish/conf.d). remove takes exactly these away.`,
		Example: "  astrid path add --shell zsh",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringVar(&shell, "shell", "", "bash, zsh or fish; without it what $SHELL says")
	do := func(use, short string, fn func(*shellFile) error) {
		cmd.AddCommand(&cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
			f, err := findShell(sys, shell)
			if err != nil {
				return err
			}
			return fn(f)
		}})
	}
	do("add", "Put the directory on PATH", func(f *shellFile) error {
		changed, err := f.add()
		if err == nil && !changed {
			sys.notef("%s has it already", f.path)
		} else if err == nil {
			sys.notef("added to %s; a new shell has it", f.path)
		}
		return err
	})
	do("remove", "Take it off PATH again", func(f *shellFile) error {
		changed, err := f.remove()
		if err == nil && !changed {
			sys.notef("%s does not have it", f.path)
		} else if err == nil {
			sys.notef("removed from %s", f.path)
		}
		return err
	})
	return cmd
}

// offerPath asks, where somebody can answer, whether to put astrid on PATH. Without a yes
// nothing is written.
func offerPath(ctx context.Context, sys System, in *bufio.Reader, ask bool) error {
	f, err := findShell(sys, "")
	if err != nil || !ask || f.onPath() {
		return nil // who can do without is not to be troubled
	}
	ok, err := sys.confirm(ctx, in, fmt.Sprintf("Put %s on your PATH, in %s?", f.dir, f.path), false)
	if err != nil || !ok {
		return err
	}
	if _, err := f.add(); err != nil {
		return err
	}
	sys.notef("a new shell has it; `astrid path remove` takes it away again")
	return nil
}

// shellFile is the start-up file of a shell, and what is put into it.
type shellFile struct {
	sys  System
	path string
	dir  string
	line string
	own  bool // the file holds nothing else
}

const (
	pathBegin = "# >>> astrid path >>>\n"
	pathEnd   = "# <<< astrid path <<<\n"
)

func findShell(sys System, shell string) (*shellFile, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	f := &shellFile{sys: sys, dir: filepath.Dir(program)}
	if shell == "" {
		s, _ := sys.Getenv("SHELL")
		shell = filepath.Base(s)
	}
	get := func(name, or string) string {
		if v, ok := sys.Getenv(name); ok && filepath.IsAbs(v) {
			return v
		}
		return or
	}
	user := get("HOME", "")
	if user == "" {
		return nil, fail(ExitError, "HOME is not set: it is not known where the shell's files are")
	}
	// In single quotes nothing is expanded, whatever the directory is called.
	quoted := "'" + strings.ReplaceAll(f.dir, "'", `'\''`) + "'"
	f.line = "export PATH=" + quoted + ":\"$PATH\"\n"
	switch shell {
	case "bash":
		f.path = filepath.Join(user, ".bashrc")
		if profile := filepath.Join(user, ".bash_profile"); runtime.GOOS == "darwin" && exists(profile) {
			f.path = profile
		}
	case "zsh":
		f.path = filepath.Join(get("ZDOTDIR", user), ".zshrc")
	case "fish":
		f.path = filepath.Join(get("XDG_CONFIG_HOME", filepath.Join(user, ".config")), "fish", "conf.d", "astrid.fish")
		f.line = "fish_add_path --path '" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(f.dir) + "'\n"
		f.own = true
	default:
		return nil, fail(ExitUsage, "the shell %q is not known: name bash, zsh or fish with --shell", shell)
	}
	if strings.ContainsAny(f.dir, "\n\r:") {
		return nil, fail(ExitError, "%q cannot be part of a PATH", f.dir)
	}
	return f, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (f *shellFile) onPath() bool {
	path, _ := f.sys.Getenv("PATH")
	return slices.Contains(filepath.SplitList(path), f.dir)
}

// add writes the marked lines, once: what an earlier one has written is replaced.
func (f *shellFile) add() (changed bool, err error) {
	text, mode, err := f.read()
	if err != nil {
		return false, err
	}
	rest := unmarked(text)
	if len(rest) > 0 && rest[len(rest)-1] != '\n' {
		rest = append(rest, '\n')
	}
	next := append(rest, pathBegin+f.line+pathEnd...)
	if bytes.Equal(next, text) {
		return false, nil
	}
	return true, f.write(next, mode)
}

// remove takes them away.
func (f *shellFile) remove() (changed bool, err error) {
	text, mode, err := f.read()
	if err != nil {
		return false, err
	}
	rest := unmarked(text)
	switch {
	case bytes.Equal(rest, text):
		return false, nil
	case f.own && len(rest) == 0:
		return true, os.Remove(f.path)
	}
	return true, f.write(rest, mode)
}

// unmarked is text without the marked lines. A begin without an end is no mark of ours.
func unmarked(text []byte) []byte {
	before, rest, ok := bytes.Cut(text, []byte(pathBegin))
	if !ok {
		return slices.Clone(text)
	}
	_, after, ok := bytes.Cut(rest, []byte(pathEnd))
	if !ok {
		return slices.Clone(text)
	}
	return slices.Concat(before, after)
}

func (f *shellFile) read() ([]byte, os.FileMode, error) {
	// A file that is a link into a repository of such files stays one.
	if real, err := filepath.EvalSymlinks(f.path); err == nil {
		f.path = real
	}
	info, err := os.Stat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0o644, nil
	}
	if err != nil {
		return nil, 0, err
	}
	text, err := os.ReadFile(f.path)
	return text, info.Mode().Perm(), err
}

func (f *shellFile) write(text []byte, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(f.path), 0o755); err != nil {
		return err
	}
	return capsule.WriteFileAtomic(f.path, text, mode)
}
