package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
)

// logOptions are the flags of commands that show a log.
type logOptions struct {
	sys    System
	lines  int
	follow bool
}

func (o *logOptions) flags(cmd *cobra.Command) {
	cmd.Flags().IntVarP(&o.lines, "lines", "n", 50, "how many of the last `LINES` to show")
	cmd.Flags().BoolVarP(&o.follow, "follow", "f", false, "go on showing what is logged, until Ctrl+C")
}

func newLogs(sys System) *cobra.Command {
	o := logOptions{sys: sys}
	cmd := &cobra.Command{
		Use:   "logs [CAPSULE]",
		Short: "Show what the daemon, or a capsule, has logged",
		Example: `  astrid logs -f
  astrid logs openai-compat -n 200`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return o.ofCapsule(cmd.Context(), args[0])
			}
			return o.ofDaemon(cmd.Context())
		},
	}
	o.flags(cmd)
	return cmd
}

func (o *logOptions) ofCapsule(ctx context.Context, name string) error {
	c, err := openCapsules(o.sys)
	if err != nil {
		return err
	}
	if name, err = c.exists(name); err != nil {
		return err
	}
	return o.show(ctx, &dayLog{o.sys, name, func() ([]string, error) { return c.logFiles(name) }})
}

func (o *logOptions) ofDaemon(ctx context.Context) error {
	h, err := o.sys.openHome()
	if err != nil {
		return err
	}
	return o.show(ctx, &dayLog{o.sys, "the daemon", func() ([]string, error) {
		return filepath.Glob(filepath.Join(h.LogDir(), "astrid.????-??-??.log"))
	}})
}

func (o *logOptions) show(ctx context.Context, l *dayLog) error {
	if o.lines < 0 {
		return fail(ExitUsage, "-n: %d is no number of lines", o.lines)
	}
	return l.show(ctx, o.lines, o.follow)
}

// dayLog is a log with a file for each day.
type dayLog struct {
	sys   System
	who   string                   // logs there
	files func() ([]string, error) // oldest first
}

// logPoll is how often a log that is followed is looked at.
const logPoll = 200 * time.Millisecond

// show prints the last lines and, with --follow, what comes.
func (l *dayLog) show(ctx context.Context, n int, follow bool) error {
	files, err := l.files()
	if err != nil {
		return err
	}
	var last [][]byte
	var at position
	for i := len(files) - 1; i >= 0 && (len(last) < n || at.path == ""); i-- {
		b, err := os.ReadFile(files[i])
		if err != nil {
			return err
		}
		if at.path == "" {
			at = position{files[i], int64(len(b))}
		}
		last = append(tail(b, n-len(last)), last...)
	}
	if len(files) == 0 && !follow {
		l.sys.notef("%s has logged nothing", l.who)
	}
	for _, line := range last {
		if _, err := fmt.Fprintln(l.sys.Stdout, printable(string(line))); err != nil {
			return fmt.Errorf("standard output: %w", err)
		}
	}
	if !follow {
		return nil
	}
	return l.follow(ctx, at)
}

// tail is the last n lines of a file.
func tail(b []byte, n int) [][]byte {
	b = bytes.TrimSuffix(b, []byte("\n"))
	if len(b) == 0 || n <= 0 {
		return nil
	}
	lines := bytes.Split(b, []byte("\n"))
	return lines[max(0, len(lines)-n):]
}

// maxLogRead is how much of a log is read at once, in bytes.
const maxLogRead = 1 << 20

// position is up to where a log was shown.
type position struct {
	path   string
	offset int64
}

func (l *dayLog) follow(ctx context.Context, at position) error {
	tick := time.NewTicker(logPoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil // it is how one ends it
		case <-tick.C:
		}
		files, err := l.files()
		if err != nil {
			return err
		}
		for _, path := range files {
			if path < at.path {
				continue
			}
			if path > at.path {
				at = position{path, 0}
			}
			if at.offset, err = l.more(path, at.offset); err != nil {
				return err
			}
		}
	}
}

// more shows the whole lines that a file has after an offset, and returns where they end.
func (l *dayLog) more(path string, from int64) (int64, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return from, nil // it was too old
	}
	if err != nil {
		return from, err
	}
	defer f.Close()
	if fi, err := f.Stat(); err == nil && fi.Size() < from {
		from = 0 // it was emptied
	}
	b, err := io.ReadAll(io.NewSectionReader(f, from, maxLogRead))
	if err != nil {
		return from, err
	}
	end := bytes.LastIndexByte(b, '\n') + 1
	if end == 0 && len(b) < maxLogRead {
		return from, nil
	}
	if end == 0 {
		end = len(b) // a line longer than any capsule may log
	}
	if _, err := io.WriteString(l.sys.Stdout, printable(string(b[:end]))); err != nil {
		return from, fmt.Errorf("standard output: %w", err)
	}
	return from + int64(end), nil
}
