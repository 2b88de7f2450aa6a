package telemetry

import (
	"container/list"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"
)

// DefaultCapsuleBytes is how much a capsule may log per day and principal.
const DefaultCapsuleBytes = 16 << 20

// CapsuleOptions says how capsules log. The zero value works.
type CapsuleOptions struct {
	MaxBytesPerDay int64 // of one capsule under one principal; 0 is DefaultCapsuleBytes
	RetentionDays  int   // 0 is DefaultRetentionDays
	MaxOpen        int   // files held open at once; 0 is 64
	Now            func() time.Time
}

// CapsuleLogs writes the logs of all capsules.
type CapsuleLogs struct {
	o CapsuleOptions

	mu    sync.Mutex
	sinks map[string]*sink // by directory
	open  *list.List       // of those *sink that hold a file, the most recently used first
}

// sink is one directory's log. It stays known when its file is closed, with what it counted.
type sink struct {
	file *dayFile
	elem *list.Element // in open, or nil
}

// NewCapsuleLogs returns logs with nothing open.
func NewCapsuleLogs(o CapsuleOptions) *CapsuleLogs {
	if o.MaxBytesPerDay <= 0 {
		o.MaxBytesPerDay = DefaultCapsuleBytes
	}
	if o.RetentionDays <= 0 {
		o.RetentionDays = DefaultRetentionDays
	}
	if o.MaxOpen <= 0 {
		o.MaxOpen = 64
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &CapsuleLogs{o: o, sinks: map[string]*sink{}, open: list.New()}
}

// Log appends one line to today's file in dir (home.Capsule.LogDir). The directory is made if need be, but not the one above:
// an unknown principal's home does not come to be by logging. Any level is accepted; what is not trace, debug, warn or error counts as info.
// A line over the day's limit is dropped and counted, which is no error.
func (l *CapsuleLogs) Log(dir, capsule, level, message string) error {
	now := l.o.Now().UTC()
	line := fmt.Sprintf("%d.%03d %s [%s] %s\n", now.Unix(), now.Nanosecond()/1e6, levelName(level), Escape(capsule), Escape(message))
	s, err := l.sink(dir, capsule)
	if err != nil {
		return err
	}
	if _, err := s.file.Write([]byte(line)); err != nil && !errors.Is(err, errFull) {
		return err
	}
	return nil
}

func levelName(level string) string {
	switch l := strings.ToUpper(strings.TrimSpace(level)); l {
	case "TRACE", "DEBUG", "WARN", "ERROR":
		return l
	case "WARNING":
		return "WARN"
	}
	return "INFO"
}

// sink finds or makes the log of a directory, and closes the file that was not used for longest if too many are open.
func (l *CapsuleLogs) sink(dir, capsule string) (*sink, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.sinks[dir]
	if s == nil {
		if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("open the log of %s: %w", capsule, err)
		}
		s = &sink{file: &dayFile{dir: dir, retention: l.o.RetentionDays, maxBytes: l.o.MaxBytesPerDay, now: l.o.Now, report: l.reporter(capsule)}}
		l.sinks[dir] = s
	}
	if s.elem != nil {
		l.open.MoveToFront(s.elem)
		return s, nil
	}
	s.elem = l.open.PushFront(s)
	if l.open.Len() > l.o.MaxOpen {
		old := l.open.Remove(l.open.Back()).(*sink)
		old.elem = nil
		old.file.release()
	}
	return s, nil
}

func (l *CapsuleLogs) reporter(capsule string) func(time.Time, int64, bool) string {
	return func(now time.Time, lost int64, full bool) string {
		msg := fmt.Sprintf("%d earlier lines of this log were dropped", lost)
		if full {
			msg = fmt.Sprintf("the log's limit of %d bytes a day is reached, further lines are dropped until midnight UTC", l.o.MaxBytesPerDay)
		}
		return fmt.Sprintf("%d.%03d WARN [%s] %s\n", now.Unix(), now.Nanosecond()/1e6, Escape(capsule), msg)
	}
}

// Close closes all files. Logging afterwards opens them again.
func (l *CapsuleLogs) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.sinks {
		s.file.release()
		s.elem = nil
	}
	l.open.Init()
	return nil
}
