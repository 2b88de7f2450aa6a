package telemetry

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"
)

// Options says how a program logs. Dir is required.
type Options struct {
	Dir           string       // must exist, see home.Home.Ensure
	Process       string       // stands in each line, for several programs share the file; "" is none
	Level         slog.Leveler // nil is slog.LevelInfo
	RetentionDays int          // 0 is DefaultRetentionDays
	Now           func() time.Time
}

// Log is a logger that writes to the day's file.
type Log struct {
	*slog.Logger
	file *dayFile
}

// Open starts logging to files in a directory. It fails if today's file cannot be written.
func Open(o Options) (*Log, error) {
	f := &dayFile{dir: o.Dir, prefix: "astrid.", retention: o.RetentionDays, now: o.Now,
		report: func(now time.Time, lost int64, _ bool) string {
			return fmt.Sprintf("time=%s level=ERROR msg=\"log lines could not be written\" lost=%d\n", now.Format(time.RFC3339Nano), lost)
		}}
	if f.retention <= 0 {
		f.retention = DefaultRetentionDays
	}
	if f.now == nil {
		f.now = time.Now
	}
	f.mu.Lock()
	err := f.openLocked(f.now().UTC())
	f.mu.Unlock()
	if err != nil {
		return nil, err
	}
	logger := slog.New(NewHandler(f, o.Level))
	if o.Process != "" {
		logger = logger.With("proc", o.Process, "pid", os.Getpid())
	}
	return &Log{Logger: logger, file: f}, nil
}

// Close closes the file. Later records are dropped.
func (l *Log) Close() error { return l.file.Close() }

// NewHandler returns a handler that writes text lines in UTC. It quotes whatever could break a line or act on a terminal, so
// it is also fit for stderr. Levels below debug are called TRACE. A nil level is slog.LevelInfo.
func NewHandler(w io.Writer, level slog.Leveler) slog.Handler {
	return slog.NewTextHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) > 0 {
			return a
		}
		switch v := a.Value.Any().(type) {
		case time.Time:
			if a.Key == slog.TimeKey {
				a.Value = slog.TimeValue(v.UTC())
			}
		case slog.Level:
			if a.Key == slog.LevelKey && v < slog.LevelDebug {
				a.Value = slog.StringValue("TRACE")
			}
		}
		return a
	}})
}
