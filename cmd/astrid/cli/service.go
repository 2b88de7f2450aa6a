package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/cmd/astrid/client"
	"github.com/unicity-astrid/astrid-go/kernel/home"
)

func newService(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "service",
		Short: "Let the system start the daemon when you log in",
		Long: `Let the system start the daemon when you log in, and again when it crashes: a systemd
user unit on Linux, a launchd agent on macOS. It runs as you, for your home alone.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var printOnly, noStart bool
	install := &cobra.Command{
		Use:   "install",
		Short: "Write the service's file and start it",
		Example: `  astrid service install
  astrid service install --print > astrid.service`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := exclusive(cmd, "print", "no-start"); err != nil {
				return err
			}
			s, err := sys.service()
			if err != nil {
				return err
			}
			if printOnly {
				_, err := fmt.Fprint(sys.Stdout, s.text)
				return err
			}
			return s.install(cmd.Context(), sys, !noStart)
		},
	}
	install.Flags().BoolVar(&printOnly, "print", false, "print the file and do nothing")
	install.Flags().BoolVar(&noStart, "no-start", false, "write the file only")
	cmd.AddCommand(install, &cobra.Command{
		Use:   "uninstall",
		Short: "Stop the service and delete its file",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := sys.service()
			if err != nil {
				return err
			}
			return s.uninstall(cmd.Context(), sys)
		},
	})
	return cmd
}

// service is a service of the system's manager.
type service struct {
	path  string     // of the file that describes it
	lock  string     // the home's, which the daemon holds
	text  string     // what stands there
	start [][]string // commands that take the file and start it
	stop  [][]string // commands that stop it
}

// service describes the daemon of this home to the manager of this system.
func (s System) service() (*service, error) {
	h, err := home.Resolve(s.Getenv)
	if err != nil {
		return nil, err
	}
	daemon, err := client.Binary("astrid-daemon")
	if err != nil {
		return nil, err
	}
	if daemon, err = filepath.Abs(daemon); err != nil {
		return nil, err
	}
	user, ok := s.Getenv("HOME")
	if !ok || !filepath.IsAbs(user) {
		return nil, fail(ExitError, "HOME is not set to an absolute path")
	}
	for _, path := range []string{daemon, h.Root(), user} {
		if strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return nil, fail(ExitError, "%q has control characters: a service cannot be described with it", path)
		}
	}
	var out *service
	switch runtime.GOOS {
	case "darwin":
		out = launchd(user, daemon, h.Root(), h.LogDir())
	case "linux":
		config, ok := s.Getenv("XDG_CONFIG_HOME")
		if !ok || !filepath.IsAbs(config) {
			config = filepath.Join(user, ".config")
		}
		out = systemd(config, user, daemon, h.Root())
	default:
		return nil, fail(ExitError, "services are known for Linux (systemd) and macOS (launchd), not for %s: start %s at login by other means", runtime.GOOS, daemon)
	}
	out.lock = h.LockFile()
	return out, nil
}

const unitName = "astrid.service"

func systemd(config, user, daemon, root string) *service {
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "%", "%%", "$", "$$")
	path := filepath.Join(config, "systemd", "user", unitName)
	return &service{
		path: path,
		// Environment= knows no "$": it is taken as it is there.
		text: fmt.Sprintf(`[Unit]
Description=Astrid daemon

[Service]
ExecStart="%s" --workspace "%s"
Environment="ASTRID_HOME=%s"
Restart=on-failure
RestartPreventExitStatus=%d
UMask=0077

[Install]
WantedBy=default.target
`, quote.Replace(daemon), quote.Replace(user), strings.ReplaceAll(quote.Replace(root), "$$", "$"), client.ExitAlreadyRunning),
		start: [][]string{{"systemctl", "--user", "daemon-reload"}, {"systemctl", "--user", "enable", "--now", unitName}},
		stop:  [][]string{{"systemctl", "--user", "disable", "--now", unitName}},
	}
}

const agentLabel = "org.unicity-astrid.daemon"

func launchd(user, daemon, root, log string) *service {
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace
	path := filepath.Join(user, "Library", "LaunchAgents", agentLabel+".plist")
	return &service{
		path: path,
		text: fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>Label</key><string>%s</string>
	<key>ProgramArguments</key>
	<array><string>%s</string><string>--workspace</string><string>%s</string></array>
	<key>EnvironmentVariables</key>
	<dict><key>ASTRID_HOME</key><string>%s</string></dict>
	<key>RunAtLoad</key><true/>
	<key>KeepAlive</key><dict><key>Crashed</key><true/></dict>
	<key>StandardErrorPath</key><string>%s</string>
</dict>
</plist>
`, agentLabel, escape(daemon), escape(user), escape(root), escape(filepath.Join(log, "service.txt"))),
		start: [][]string{{"launchctl", "load", "-w", path}},
		stop:  [][]string{{"launchctl", "unload", "-w", path}},
	}
}

func (s *service) install(ctx context.Context, sys System, start bool) error {
	if err := os.MkdirAll(filepath.Dir(s.path), 0o755); err != nil {
		return err
	}
	if err := home.WriteFileAtomic(s.path, []byte(s.text), 0o644); err != nil {
		return err
	}
	fmt.Fprintf(sys.Stdout, "wrote %s\n", printable(s.path))
	if !start {
		return nil
	}
	_, running, err := home.HolderOf(s.lock)
	if err != nil {
		return err
	}
	for i, argv := range s.start {
		if err := sys.runTool(ctx, argv); err != nil {
			left := ""
			for _, argv := range s.start[i:] {
				left += "\n  " + strings.Join(argv, " ")
			}
			return fmt.Errorf("%w\nthe service is described, but not started: that needs a login session of yours, as on the console or by ssh. There, run%s", err, left)
		}
	}
	if running {
		sys.notef("a daemon runs already: if the service has not started it, run `astrid stop`, then `astrid service install` again")
		return nil
	}
	fmt.Fprintln(sys.Stdout, "started; it starts again when you log in")
	return nil
}

func (s *service) uninstall(ctx context.Context, sys System) error {
	if _, err := os.Lstat(s.path); errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintln(sys.Stdout, "not installed")
		return nil
	}
	for _, argv := range s.stop {
		if err := sys.runTool(ctx, argv); err != nil {
			sys.notef("%v; the file is deleted all the same", err)
		}
	}
	if err := os.Remove(s.path); err != nil {
		return err
	}
	fmt.Fprintf(sys.Stdout, "deleted %s\n", printable(s.path))
	return nil
}

// runTool runs a program of the system; what it prints goes to standard error.
func (s System) runTool(ctx context.Context, argv []string) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = s.Stderr, s.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(argv, " "), err)
	}
	return nil
}
