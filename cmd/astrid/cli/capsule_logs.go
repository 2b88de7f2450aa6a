package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"
)

func newCapsuleLogs(sys System) *cobra.Command {
	var lines int
	var follow bool
	cmd := &cobra.Command{
		Use:   "logs NAME",
		Short: "Show what a capsule has logged",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if lines < 0 {
				return fail(ExitUsage, "-n: %d is no number of lines", lines)
			}
			c, err := openCapsules(sys)
			if err != nil {
				return err
			}
			name, err := c.exists(args[0])
			if err != nil {
				return err
			}
			return c.logs(cmd.Context(), name, lines, follow)
		},
	}
	cmd.Flags().IntVarP(&lines, "lines", "n", 50, "how many of the last `LINES` to show")
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on showing what is logged, until Ctrl+C")
	return cmd
}

// logPoll is how often a log that is followed is looked at.
const logPoll = 200 * time.Millisecond

func (c *capsules) logs(ctx context.Context, name string, n int, follow bool) error {
	files, err := c.logFiles(name)
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
		c.sys.notef("%s has logged nothing", name)
	}
	for _, l := range last {
		if _, err := fmt.Fprintln(c.sys.Stdout, printable(string(l))); err != nil {
			return fmt.Errorf("standard output: %w", err)
		}
	}
	if !follow {
		return nil
	}
	return c.follow(ctx, name, at)
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

func (c *capsules) follow(ctx context.Context, name string, at position) error {
	tick := time.NewTicker(logPoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil // it is how one ends it
		case <-tick.C:
		}
		files, err := c.logFiles(name)
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
			if at.offset, err = c.more(path, at.offset); err != nil {
				return err
			}
		}
	}
}

// more shows the whole lines that a file has after an offset, and returns where they end.
func (c *capsules) more(path string, from int64) (int64, error) {
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
	if _, err := io.WriteString(c.sys.Stdout, printable(string(b[:end]))); err != nil {
		return from, fmt.Errorf("standard output: %w", err)
	}
	return from + int64(end), nil
}
