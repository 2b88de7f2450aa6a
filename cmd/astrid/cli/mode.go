package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/client"
	"github.com/unicity-astrid/astrid-go/kernel/config"
	"github.com/unicity-astrid/astrid-go/kernel/home"
)

// modeKey is the setting in a configuration file.
const modeKey = "workspace.mode"

func newMode(sys System) *cobra.Command {
	var asJSON bool
	var session string
	show := func(cmd *cobra.Command, _ []string) error { return showMode(cmd.Context(), sys, session, asJSON) }
	cmd := &cobra.Command{
		Use:   "mode",
		Short: "Show or set what needs no question",
		Long: `Show or set what needs no question, in the project around the current directory:

             inside the workspace  read outside  write outside  spawn, network, identity
  safe       allow                 ask           ask            ask
  guided     allow                 allow         ask            ask
  autonomous allow                 allow         allow          allow
  yolo       allow                 allow         allow          allow, without the OS sandbox

Hard blocks of the policy hold in all of them. A workspace's own file may only tighten, and so may a
session: with --session the mode is that session's own, from now on, and the stricter one is in force.

Exit codes: 0 done, 1 the configuration cannot be read or written, 2 the command line is
wrong.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				if mode, err := approval.ParseMode(args[0]); err == nil {
					return fmt.Errorf("a mode is set by astrid mode set %s", mode)
				}
			}
			return cobra.NoArgs(cmd, args)
		},
		RunE: show,
	}
	cmd.PersistentFlags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.PersistentFlags().StringVar(&session, "session", "", "the mode of the `SESSION` of this id, beginning of an id, name or title")
	var workspace bool
	set := &cobra.Command{
		Use:   "set MODE",
		Short: "Set the mode in your configuration, or with --workspace in this project's",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			mode, err := approval.ParseMode(args[0])
			if err != nil {
				return fail(ExitUsage, "%q is none of safe, guided, autonomous, yolo", args[0])
			}
			if err := exclusive(cmd, "workspace", "session"); err != nil {
				return err
			}
			if session != "" {
				return setSessionMode(cmd.Context(), sys, mode, session, asJSON)
			}
			return setMode(cmd.Context(), sys, mode, workspace, asJSON)
		},
	}
	set.Flags().BoolVar(&workspace, "workspace", false, "write this project's .astrid/config.toml, which may only tighten")
	cmd.AddCommand(&cobra.Command{Use: "show", Short: "Show the mode in force here and where it is set", Args: cobra.NoArgs, RunE: show}, set)
	return cmd
}

// directory is the current directory, free of links.
func (s System) directory() (string, error) {
	dir, err := s.Getwd()
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return "", fmt.Errorf("current directory: %w", err)
	}
	return dir, nil
}

// here is the project that sessions started in the current directory work in.
func (s System) here() (home.Workspace, error) {
	dir, err := s.directory()
	if err != nil {
		return home.Workspace{}, err
	}
	h, err := home.Resolve(s.Getenv)
	if err != nil {
		return home.Workspace{}, err
	}
	return home.DetectWorkspace(dir, h)
}

// project is here, where an agent can work in it.
func (s System) project() (home.Workspace, error) {
	w, err := s.here()
	if err != nil {
		return w, err
	}
	h, err := home.Resolve(s.Getenv)
	if err != nil {
		return w, err
	}
	return w, h.Apart(w.Root())
}

func showMode(ctx context.Context, sys System, session string, asJSON bool) error {
	if session != "" {
		return withSession(ctx, sys, session, func(conn *client.Conn, s abi.SessionInfo) error {
			info, err := call[abi.ModeInfo](ctx, conn, abi.MethodGetMode, abi.ModeQuery{Session: s.SessionID})
			if err != nil {
				return err
			}
			return printMode(sys, info, true, asJSON)
		})
	}
	info, live, err := currentMode(ctx, sys, abi.MethodGetMode)
	if err != nil {
		return err
	}
	return printMode(sys, info, live, asJSON)
}

// currentMode asks a running daemon, or else the files. live: a daemon said it.
func currentMode(ctx context.Context, sys System, method string) (info abi.ModeInfo, live bool, err error) {
	w, err := sys.here()
	if err != nil {
		return info, false, err
	}
	conn, err := sys.running(ctx)
	if err != nil {
		return info, false, err
	}
	if conn != nil {
		defer conn.Close()
		info, err = call[abi.ModeInfo](ctx, conn, method, abi.ModeQuery{Workspace: w.Root()})
		return info, true, err
	}
	cfg, err := sys.config(w.Root())
	if err != nil {
		return info, false, err
	}
	info = abi.ModeInfo{Mode: cfg.Workspace.Mode, Source: cfg.Origin(modeKey).String(), Workspace: w.Root()}
	for _, n := range cfg.Notices {
		info.Notices = append(info.Notices, n.String())
	}
	return info, false, nil
}

// config reads the configuration as a daemon would; "" leaves out what a workspace says.
func (s System) config(workspace string) (*config.Config, error) {
	h, err := s.openHome()
	if err != nil {
		return nil, err
	}
	return config.Load(config.Options{UserFile: h.ConfigFile(), WorkspaceRoot: workspace, LookupEnv: s.Getenv})
}

func printMode(sys System, info abi.ModeInfo, live, asJSON bool) error {
	for _, n := range info.Notices {
		sys.notef("%s", approval.Display(n))
	}
	if asJSON {
		return writeJSON(sys.Stdout, struct {
			abi.ModeInfo
			Running bool `json:"running"`
		}{info, live})
	}
	source := approval.Display(info.Source)
	if source == "default" {
		source = "the built-in default"
	}
	_, err := fmt.Fprintf(sys.Stdout, "%s (%s)\n", info.Mode, source)
	return err
}

// setSessionMode bounds the mode of one session.
func setSessionMode(ctx context.Context, sys System, mode approval.Mode, session string, asJSON bool) error {
	return withSession(ctx, sys, session, func(conn *client.Conn, s abi.SessionInfo) error {
		info, err := call[abi.ModeInfo](ctx, conn, abi.MethodSetSessionMode, abi.SessionMode{Session: s.SessionID, Workspace: s.Workspace, Mode: mode.String()})
		if err != nil {
			return err
		}
		if info.Mode != mode.String() {
			sys.notef("%s is in force there (%s): a session's own mode can only be stricter", info.Mode, approval.Display(info.Source))
		}
		return printMode(sys, info, true, asJSON)
	})
}

func setMode(ctx context.Context, sys System, mode approval.Mode, inWorkspace, asJSON bool) error {
	// What is broken already must not look as if this had broken it, nor be written over.
	common, err := sys.config("")
	if err != nil {
		return err
	}
	path, perm := "", fs.FileMode(0o600)
	if inWorkspace {
		w, err := sys.here()
		if err != nil {
			return err
		}
		if yours, err := approval.ParseMode(common.Workspace.Mode); err != nil || mode > yours {
			return fail(ExitError, "a workspace may only tighten, and yours is %s (%s): set it there first, with astrid mode set %s",
				common.Workspace.Mode, common.Origin(modeKey), mode)
		}
		// The file may come from a stranger: reading it checks that it is small, flat and no link.
		if _, err := sys.config(w.Root()); err != nil {
			return err
		}
		if err := os.Mkdir(w.Dir(), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if fi, err := os.Lstat(w.Dir()); err != nil || !fi.IsDir() {
			return fail(ExitError, "%s is not a directory", w.Dir())
		}
		path, perm = w.ConfigFile(), 0o644
	} else {
		h, err := sys.openHome()
		if err != nil {
			return err
		}
		path = h.ConfigFile()
	}
	if err := writeSetting(path, modeKey, strconv.Quote(mode.String()), perm); err != nil {
		return err
	}
	info, live, err := currentMode(ctx, sys, abi.MethodReloadPolicy)
	if err != nil {
		return fmt.Errorf("%s was written, but %w", path, err)
	}
	if info.Mode != mode.String() {
		sys.notef("%s was written, but %s is in force here (%s)", path, info.Mode, approval.Display(info.Source))
	}
	if slices.Contains([]approval.Mode{approval.Autonomous, approval.Yolo}, mode) {
		sys.notef("in mode %s the agent is asked nothing about files, programs and the network; only the policy's hard blocks stop it", mode)
	}
	return printMode(sys, info, live, asJSON)
}
