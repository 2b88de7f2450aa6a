package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/abi"
)

type diffOptions struct {
	sys      System
	session  string
	stat     bool
	nameOnly bool
	null     bool
	json     bool
	sessions bool
}

func newDiff(sys System) *cobra.Command {
	o := &diffOptions{sys: sys}
	cmd := &cobra.Command{
		Use:   "diff [PATH…]",
		Short: "Show what a session changed and did not commit",
		Long: `Show what a session changed and did not commit, as a unified diff: all of it, or what lies
at or below the paths, which are relative to the current directory. "git apply" in the
workspace takes the diff. Binary files and files above 4 MiB are named only.

Without --session it is about the last used session of the current directory, or of the
nearest directory above it, that has changes. --sessions lists the sessions that have.

Each file is shown as it is at one moment, also while the session's agent works.

Exit codes: 0 done, with or without changes, 1 it failed, 2 the command line is wrong, 3 the
daemon could not be started.`,
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), args) },
	}
	f := cmd.Flags()
	f.StringVar(&o.session, "session", "", "`NAME` or id of the session (default: the last used one of this directory that has changes)")
	f.BoolVar(&o.stat, "stat", false, "show how many lines changed in each file")
	f.BoolVar(&o.nameOnly, "name-only", false, "show only the names, relative to the current directory")
	f.BoolVarP(&o.null, "null", "z", false, "with --name-only: names as they are, each ended by a NUL")
	f.BoolVar(&o.json, "json", false, "print JSON")
	f.BoolVar(&o.sessions, "sessions", false, "list the sessions that have changes")
	return cmd
}

func (o *diffOptions) run(ctx context.Context, args []string) error {
	form := 0
	for _, set := range []bool{o.stat, o.nameOnly, o.json && !o.sessions, o.sessions} {
		if set {
			form++
		}
	}
	switch {
	case form > 1:
		return fail(ExitUsage, "--stat, --name-only, --json and --sessions exclude each other, except --sessions --json")
	case o.sessions && o.session != "":
		return fail(ExitUsage, "--sessions lists all sessions: leave --session out")
	case o.null && !o.nameOnly:
		return fail(ExitUsage, "--null goes with --name-only")
	case o.sessions && len(args) > 0:
		return fail(ExitUsage, "--sessions takes no paths")
	case o.sessions:
		return listSessions(ctx, o.sys, o.json)
	}
	v, err := openOverlay(ctx, o.sys, o.session)
	if err != nil {
		return err
	}
	if v == nil {
		if o.json {
			return writeJSON(o.sys.Stdout, diffReport{Changes: []diffChange{}})
		}
		return nil
	}
	defer v.Close()
	paths, err := v.paths(args)
	if err != nil {
		return err
	}
	list, err := v.changes(ctx, paths, args)
	if err != nil {
		return err
	}
	switch {
	case o.nameOnly:
		err = o.names(v, list)
	case o.json, o.stat:
		err = o.numbers(ctx, v, list)
	default:
		err = o.text(ctx, v, list)
	}
	if err != nil {
		return err
	}
	if len(list) == 0 {
		o.sys.notef("session %s has no changes", quoted(v.Session))
	}
	o.warn(v, list)
	return nil
}

func (o *diffOptions) names(v *overlayView, list []abi.OverlayChange) error {
	var b strings.Builder
	for _, c := range list {
		if o.null {
			b.WriteString(v.typedPath(c.Path) + "\x00")
		} else {
			b.WriteString(v.shown(c) + "\n")
		}
	}
	return o.write(b.String())
}

func (o *diffOptions) write(s string) error {
	if _, err := io.WriteString(o.sys.Stdout, s); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return nil
}

// text prints the diff. Into a pipe or file it goes byte for byte, so that it can be applied.
func (o *diffOptions) text(ctx context.Context, v *overlayView, list []abi.OverlayChange) error {
	terminal := o.sys.IsTerminal(o.sys.Stdout)
	p := painter{colour: terminal && o.sys.colour()}
	stats := patchStats{}
	err := v.patch(ctx, list, func(text string) error {
		stats.read(text)
		if terminal {
			text = p.paint(text)
		}
		return o.write(text)
	})
	if err != nil {
		return err
	}
	left := 0
	for _, c := range list {
		if s := stats[c.Path]; s == nil || s.binary {
			left++
		}
	}
	if left > 0 {
		o.sys.notef("%s cannot be shown in a patch (binary, above 4 MiB, or a directory); `astrid diff%s --stat` names all, a commit takes over all", count(left, "change"), v.sessionFlag())
	}
	return nil
}

// warn tells which changes a commit will find changed in the workspace too.
func (o *diffOptions) warn(v *overlayView, list []abi.OverlayChange) {
	var both []abi.OverlayChange
	for _, c := range list {
		if c.Conflict != "" {
			both = append(both, c)
		}
	}
	if len(both) > 0 {
		o.sys.notef("%s would stop a commit:", count(len(both), "conflict"))
		v.listConflicts(both, len(both))
	}
}

// colour tells whether colours are wanted where a terminal could show them.
func (s System) colour() bool {
	if v, _ := s.Getenv("NO_COLOR"); v != "" {
		return false
	}
	term, _ := s.Getenv("TERM")
	return term != "dumb"
}
