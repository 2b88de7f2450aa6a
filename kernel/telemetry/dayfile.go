package telemetry

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// DefaultRetentionDays is how many days of logs are kept, today included, when nothing else is said.
const DefaultRetentionDays = 7

// errFull says that the day's bytes are used up.
var errFull = errors.New("telemetry: the day's log is full")

// dayFile appends lines to a file that is named after the day.
type dayFile struct {
	dir       string
	prefix    string // of the file's name, before the date
	retention int    // days
	maxBytes  int64  // per day; 0 is no limit
	now       func() time.Time
	// report makes the line that tells of lost lines. full is whether the day's limit was the reason.
	report func(now time.Time, lost int64, full bool) string

	mu     sync.Mutex
	file   *os.File
	day    string
	size   int64
	full   bool  // the day's limit was reached and said
	lost   int64 // lines not written and not reported yet
	closed bool
}

func (d *dayFile) name(day string) string { return filepath.Join(d.dir, d.prefix+day+".log") }

// Write appends one line, which p must be, newline included. It is what a slog handler needs.
func (d *dayFile) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return 0, fs.ErrClosed
	}
	now := d.now().UTC()
	err := d.openLocked(now)
	if err == nil {
		err = d.appendLocked(now, p)
	}
	if err != nil {
		d.lost++
		return 0, err
	}
	return len(p), nil
}

// openLocked makes sure that the file of the day is open, and removes those that are too old when the day is new.
func (d *dayFile) openLocked(now time.Time) error {
	day := now.Format(time.DateOnly)
	if d.file != nil && d.day == day {
		return nil
	}
	d.releaseLocked()
	f, err := os.OpenFile(d.name(day), os.O_WRONLY|os.O_APPEND|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("open the log: %s is not a regular file", f.Name())
	}
	if err != nil {
		f.Close()
		return err
	}
	if d.day != day {
		d.full = false
		prune(d.dir, d.prefix, d.retention, now)
	}
	d.file, d.day, d.size = f, day, info.Size()
	return nil
}

func (d *dayFile) appendLocked(now time.Time, p []byte) error {
	if d.full {
		return errFull
	}
	if d.lost > 0 {
		if err := d.writeLocked([]byte(d.report(now, d.lost, false))); err != nil {
			return err
		}
		d.lost = 0
	}
	if d.maxBytes > 0 && d.size+int64(len(p)) > d.maxBytes {
		d.full = true
		if d.size <= d.maxBytes { // said only once, also if the capsule is loaded again
			d.writeLocked([]byte(d.report(now, 0, true)))
			d.size = d.maxBytes + 1
		}
		return errFull
	}
	return d.writeLocked(p)
}

func (d *dayFile) writeLocked(p []byte) error {
	n, err := d.file.Write(p)
	d.size += int64(n)
	return err
}

func (d *dayFile) releaseLocked() {
	if d.file != nil {
		d.file.Close()
		d.file = nil
	}
}

// release closes the file until the next line.
func (d *dayFile) release() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.releaseLocked()
}

// Close ends the log; later lines are refused with fs.ErrClosed.
func (d *dayFile) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if d.file == nil {
		return nil
	}
	err := d.file.Close()
	d.file = nil
	return err
}

// prune removes the files of days that are out of the retention. The day is taken from the name: a copied or touched file
// keeps its age. Nothing is removed that this package would not have named so. Failing to remove is no reason not to log.
func prune(dir, prefix string, retention int, now time.Time) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	oldest := now.AddDate(0, 0, 1-retention).Format(time.DateOnly)
	for _, e := range entries {
		day, ok := strings.CutPrefix(e.Name(), prefix)
		if !ok {
			continue
		}
		if day, ok = strings.CutSuffix(day, ".log"); !ok {
			continue
		}
		if _, err := time.Parse(time.DateOnly, day); err == nil && day < oldest && e.Type().IsRegular() {
			os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}
