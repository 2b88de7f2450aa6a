package telemetry

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

// clock is a time that tests move.
type clock struct{ at atomic.Int64 }

func newClock(t *testing.T, text string) *clock {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	c := &clock{}
	c.at.Store(at.UnixNano())
	return c
}

// now is in a zone far from UTC: dates must not follow it.
func (c *clock) now() time.Time {
	return time.Unix(0, c.at.Load()).In(time.FixedZone("", -11*3600))
}

func (c *clock) add(d time.Duration) { c.at.Add(int64(d)) }

func read(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var s []string
	for _, e := range entries {
		s = append(s, e.Name())
	}
	return strings.Join(s, " ")
}

func TestLogRotates(t *testing.T) {
	dir := t.TempDir()
	c := newClock(t, "2026-03-01T23:59:59Z")
	l, err := Open(Options{Dir: dir, Process: "astrid-daemon", Level: slog.LevelWarn, RetentionDays: 3, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	l.Warn("first", "k", "v")
	l.Info("below the level")
	slog.New(NewHandler(l.file, slog.LevelDebug-4)).Log(t.Context(), slog.LevelDebug-4, "detail")
	if text := read(t, filepath.Join(dir, "astrid.2026-03-01.log")); !strings.Contains(text, " level=TRACE msg=detail\n") || strings.Contains(text, "below") {
		t.Errorf("the first day holds %q", text)
	}
	c.add(time.Second)
	l.Error("second")
	c.add(48 * time.Hour)
	l.Error("third")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l.Error("after the end")                                                                    // no effect, no panic
	if got, want := names(t, dir), "astrid.2026-03-02.log astrid.2026-03-04.log"; got != want { // 03-01 is out of the three days
		t.Errorf("files are %q, want %q", got, want)
	}
	second := read(t, filepath.Join(dir, "astrid.2026-03-02.log"))
	if strings.Count(second, "\n") != 1 || !strings.Contains(second, "level=ERROR msg=second proc=astrid-daemon pid=") || !strings.Contains(second, "Z level") {
		t.Errorf("the second day holds %q", second)
	}
	info, _ := os.Stat(filepath.Join(dir, "astrid.2026-03-04.log"))
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode is %v", info.Mode())
	}
}

// TestPruneOnlyItsOwn: retention goes by the date in the name and touches nothing that is not a log of ours.
func TestPruneOnlyItsOwn(t *testing.T) {
	dir := t.TempDir()
	keep := []string{"astrid.2026-02-27.log", "astrid.2026-12-31.log", "astrid.old.log", "astrid.2026-01-01.txt", "xastrid.2026-01-01.log", "2026-01-01.log", "astrid.2026-1-1.log"}
	for _, name := range append(keep, "astrid.2026-02-22.log", "astrid.2025-03-01.log") {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	os.Mkdir(filepath.Join(dir, "astrid.2020-01-01.log"), 0o700)
	l, err := Open(Options{Dir: dir, Now: newClock(t, "2026-03-01T12:00:00Z").now})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := " " + names(t, dir) + " "
	for _, name := range append(keep, "astrid.2020-01-01.log", "astrid.2026-03-01.log") {
		if !strings.Contains(got, " "+name+" ") {
			t.Errorf("%s is gone", name)
		}
	}
	for _, name := range []string{"astrid.2026-02-22.log", "astrid.2025-03-01.log"} {
		if strings.Contains(got, " "+name+" ") {
			t.Errorf("%s is still there", name)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	now := newClock(t, "2026-03-01T12:00:00Z").now
	if _, err := Open(Options{Dir: filepath.Join(t.TempDir(), "none"), Now: now}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
	dir := t.TempDir()
	os.Symlink("/tmp/elsewhere", filepath.Join(dir, "astrid.2026-03-01.log"))
	if _, err := Open(Options{Dir: dir, Now: now}); err == nil {
		t.Error("followed a symlink")
	}
}

// TestLogCannotBeForged: whatever is logged stays on its line.
func TestLogCannotBeForged(t *testing.T) {
	dir := t.TempDir()
	l, err := Open(Options{Dir: dir, Now: newClock(t, "2026-03-01T12:00:00Z").now})
	if err != nil {
		t.Fatal(err)
	}
	evil := "x\ntime=2026-03-01T00:00:00Z level=ERROR msg=forged\r\x1b[2J\u202e\u2028\xff"
	l.Info(evil, evil, evil, "err", errors.New(evil), slog.Group(evil, "k", evil))
	l.Close()
	text := read(t, filepath.Join(dir, "astrid.2026-03-01.log"))
	if strings.Count(text, "\n") != 1 {
		t.Errorf("one record became %d lines:\n%s", strings.Count(text, "\n"), text)
	}
	for _, r := range strings.TrimSuffix(text, "\n") {
		if !unicode.IsPrint(r) {
			t.Errorf("%U is written raw", r)
		}
	}
}

// TestLogSaysWhatItLost: the directory is unwritable for a while.
func TestLogSaysWhatItLost(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	os.Mkdir(dir, 0o700)
	c := newClock(t, "2026-03-01T23:00:00Z")
	l, err := Open(Options{Dir: dir, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	l.Info("before")
	c.add(2 * time.Hour) // the next day's file cannot be made
	os.Rename(dir, dir+".away")
	l.Info("lost 1")
	l.Info("lost 2")
	os.Rename(dir+".away", dir)
	l.Info("after")
	text := read(t, filepath.Join(dir, "astrid.2026-03-02.log"))
	if !strings.Contains(text, "level=ERROR msg=\"log lines could not be written\" lost=2\n") || !strings.Contains(text, "msg=after") || strings.Contains(text, "lost 1") {
		t.Errorf("the log holds %q", text)
	}
}

func TestCapsuleLine(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cap")
	logs := NewCapsuleLogs(CapsuleOptions{Now: newClock(t, "2026-03-01T00:00:01Z").now})
	defer logs.Close()
	for _, c := range []struct{ level, msg string }{
		{"info", "hello"}, {"ERROR", "a\nb\t\x1b[31m"}, {" Warning ", `{"k":"v\n"}`}, {"nonsense\n", "ü € 🎉 全角　"}, {"trace", ""}, {"debug", "\xff\u2029"},
	} {
		if err := logs.Log(dir, "cap", c.level, c.msg); err != nil {
			t.Fatal(err)
		}
	}
	want := `1772323201.000 INFO [cap] hello
1772323201.000 ERROR [cap] a\nb\t\x1b[31m
1772323201.000 WARN [cap] {"k":"v\n"}
1772323201.000 INFO [cap] ü € 🎉 全角　
1772323201.000 TRACE [cap] ` + `
1772323201.000 DEBUG [cap] \xff\u2029
`
	if got := read(t, filepath.Join(dir, "2026-03-01.log")); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	info, _ := os.Stat(dir)
	file, _ := os.Stat(filepath.Join(dir, "2026-03-01.log"))
	if info.Mode().Perm() != 0o700 || file.Mode().Perm() != 0o600 {
		t.Errorf("modes are %v and %v", info.Mode(), file.Mode())
	}
	if err := logs.Log(filepath.Join(dir, "no", "principal"), "cap", "info", "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a home was made for an unknown principal: %v", err)
	}
}

func TestCapsuleLimit(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cap")
	c := newClock(t, "2026-03-01T12:00:00Z")
	o := CapsuleOptions{MaxBytesPerDay: 1000, RetentionDays: 2, Now: c.now}
	logs := NewCapsuleLogs(o)
	flood := func() {
		t.Helper()
		for range 100 {
			if err := logs.Log(dir, "cap", "info", strings.Repeat("x", 70)); err != nil {
				t.Fatal(err)
			}
		}
	}
	flood()
	first := read(t, filepath.Join(dir, "2026-03-01.log"))
	if len(first) > 1200 || strings.Count(first, "limit of 1000 bytes a day is reached") != 1 || !strings.HasSuffix(first, "until midnight UTC\n") {
		t.Errorf("the first day has %d bytes:\n%s", len(first), first)
	}
	written := int64(strings.Count(first, "xxx\n"))
	// A capsule that is loaded again has not more room.
	logs.Close()
	logs = NewCapsuleLogs(o)
	flood()
	if again := read(t, filepath.Join(dir, "2026-03-01.log")); len(again) > 1400 {
		t.Errorf("after a restart the day has %d bytes", len(again))
	}
	// The next day there is room, and the loss is told.
	c.add(12 * time.Hour)
	logs.Log(dir, "cap", "info", "new day")
	next := read(t, filepath.Join(dir, "2026-03-02.log"))
	if !strings.Contains(next, " earlier lines of this log were dropped\n") || !strings.HasSuffix(next, "INFO [cap] new day\n") || strings.Count(next, "\n") != 2 {
		t.Errorf("the next day holds %q; %d lines were written before", next, written)
	}
	c.add(24 * time.Hour)
	logs.Log(dir, "cap", "info", "third day")
	if got := names(t, dir); got != "2026-03-02.log 2026-03-03.log" {
		t.Errorf("files are %s", got)
	}
}

// TestCapsuleLogsHammer writes from many goroutines to more capsules than files may be open, over midnight. No line is lost or torn.
func TestCapsuleLogsHammer(t *testing.T) {
	top := t.TempDir()
	c := newClock(t, "2026-03-01T23:59:59Z")
	logs := NewCapsuleLogs(CapsuleOptions{MaxOpen: 2, Now: c.now})
	const writers, each, capsules = 8, 200, 6
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				id := fmt.Sprint("c", (w+i)%capsules)
				if err := logs.Log(filepath.Join(top, id), id, "info", fmt.Sprintf("%d/%d.", w, i)); err != nil {
					t.Error(err)
				}
				c.add(time.Millisecond)
			}
		})
	}
	wg.Wait()
	if open := logs.open.Len(); open > 2 {
		t.Errorf("%d files are open", open)
	}
	logs.Close()
	lines := 0
	files, _ := filepath.Glob(filepath.Join(top, "*", "*.log"))
	for _, f := range files {
		for line := range strings.Lines(read(t, f)) {
			lines++
			if !strings.HasSuffix(line, ".\n") || !strings.Contains(line, "["+filepath.Base(filepath.Dir(f))+"]") {
				t.Errorf("torn line %q in %s", line, f)
			}
		}
	}
	if lines != writers*each || len(files) != 2*capsules {
		t.Errorf("%d lines in %d files, want %d in %d", lines, len(files), writers*each, 2*capsules)
	}
}

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"", "plain", "a\nb", "\x1b]0;x\a", "\xff\xfe", "\u202e\u2066", "\U000e0001", string(utf8.RuneError), "é\u0301"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Escape(s)
		if !utf8.ValidString(got) {
			t.Errorf("%q became invalid UTF-8", s)
		}
		printable := utf8.ValidString(s)
		for _, r := range s {
			printable = printable && unicode.IsGraphic(r)
		}
		if printable && got != s {
			t.Errorf("%q became %q", s, got)
		}
		for _, r := range got {
			if !unicode.IsGraphic(r) {
				t.Errorf("%q became %q, which has a raw %U", s, got, r)
			}
		}
	})
}
