package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/kernel/config"
	"github.com/unicity-astrid/astrid-go/kernel/home"
)

func newConfigSet(sys System) *cobra.Command {
	return &cobra.Command{
		Use:   "set KEY VALUE",
		Short: "Set a key in your configuration and leave the rest of the file as it is",
		Long: `Set a key in your configuration; comments and everything else in the file stay. A list is
written with commas. What a running daemon can follow counts at once: mode, policy, budget.`,
		Example: `  astrid config set budget.session_max_usd 5
  astrid config set security.policy.denied_hosts example.com,example.org`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			key := args[0]
			literal, err := config.Literal(key, args[1], config.Origin{Layer: config.Flag, Name: "config set"})
			if err != nil {
				return fail(ExitUsage, "%w", err)
			}
			h, err := sys.openHome()
			if err != nil {
				return err
			}
			// What is broken already must not look as if this had broken it.
			if _, err := sys.config(""); err != nil {
				return err
			}
			if err := writeSetting(h.ConfigFile(), key, literal, 0o600); err != nil {
				return err
			}
			cfg, err := sys.config("")
			if err != nil {
				return fmt.Errorf("%s was written, but %w", h.ConfigFile(), err)
			}
			if at := cfg.Origin(key); at.Name != h.ConfigFile() {
				sys.notef("%s was written, but %s sets %s", h.ConfigFile(), at, key)
			}
			return sys.tellDaemon(cmd.Context())
		},
	}
}

// tellDaemon has a running daemon read the configuration again.
func (s System) tellDaemon(ctx context.Context) error {
	conn, err := s.running(ctx)
	if err != nil || conn == nil {
		return err
	}
	defer conn.Close()
	if _, err := call[abi.ModeInfo](ctx, conn, abi.MethodReloadPolicy, abi.ModeQuery{}); err != nil {
		return fmt.Errorf("the file was written, but %w", err)
	}
	return nil
}

// writeSetting sets a key in a file to a TOML value and leaves the rest of it as it is.
func writeSetting(path, key, literal string, perm fs.FileMode) error {
	fi, err := os.Lstat(path)
	var old []byte
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case !fi.Mode().IsRegular():
		return fail(ExitError, "%s is not a regular file", path)
	default:
		perm = fi.Mode().Perm()
		if old, err = os.ReadFile(path); err != nil {
			return err
		}
	}
	i := strings.LastIndexByte(key, '.')
	text, err := setTOML(string(old), key[:max(i, 0)], key[i+1:], literal)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if text == string(old) {
		return nil
	}
	return home.WriteFileAtomic(path, []byte(text), perm)
}

func newConfigEdit(sys System) *cobra.Command {
	return &cobra.Command{
		Use:   "edit",
		Short: "Open your configuration in $VISUAL or $EDITOR, and check what you saved",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			editor := ""
			for _, name := range []string{"VISUAL", "EDITOR"} {
				if v, ok := sys.Getenv(name); ok && strings.TrimSpace(v) != "" && editor == "" {
					editor = v
				}
			}
			if editor == "" {
				return fail(ExitUsage, "neither VISUAL nor EDITOR is set: set one, or use astrid config set")
			}
			h, err := sys.openHome()
			if err != nil {
				return err
			}
			// The variable is a command line, as every program takes it.
			c := exec.CommandContext(cmd.Context(), "/bin/sh", "-c", editor+` "$1"`, "sh", h.ConfigFile())
			c.Stdin, c.Stdout, c.Stderr = sys.Stdin, sys.Stdout, sys.Stderr
			if err := c.Run(); err != nil {
				return fmt.Errorf("%s: %w", editor, err)
			}
			if _, err := sys.config(""); err != nil {
				return fmt.Errorf("what you saved cannot be used: %w", err)
			}
			return sys.tellDaemon(cmd.Context())
		},
	}
}
