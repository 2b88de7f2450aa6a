package cli

import (
	"bufio"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/kernel/home"
)

// logged makes a home with days of a capsule's log; a day is its name and its text.
func logged(t *testing.T, w io.Writer, days ...string) (l *dayLog, dir string) {
	t.Helper()
	h, err := home.New(filepath.Join(t.TempDir(), "h"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := h.Principal(home.DefaultPrincipal)
	if err != nil {
		t.Fatal(err)
	}
	sys := System{Stdout: w, Stderr: io.Discard}
	c := &capsules{sys: sys, home: h, principal: p}
	dir = filepath.Join(p.LogDir(), "demo")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for n := 0; n < len(days); n += 2 {
		appendTo(t, filepath.Join(dir, days[n]), days[n+1])
	}
	return &dayLog{sys, "demo", func() ([]string, error) { return c.logFiles("demo") }}, dir
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func TestLogsShowsTheLastLines(t *testing.T) {
	for _, c := range []struct {
		n    int
		want string
	}{
		{0, ""}, {1, "d\n"}, {2, "c\nd\n"}, {3, "b\nc\nd\n"}, {9, "a\nb\nc\nd\n"},
	} {
		var out strings.Builder
		l, _ := logged(t, &out, "2026-01-01.log", "a\nb\n", "2026-01-02.log", "", "2026-01-03.log", "c\nd\n", "other.txt", "no\n")
		if err := l.show(t.Context(), c.n, false); err != nil {
			t.Fatal(err)
		}
		if out.String() != c.want {
			t.Errorf("-n %d: %q, want %q", c.n, out.String(), c.want)
		}
	}
}

func TestLogsFollows(t *testing.T) {
	r, w := io.Pipe()
	l, dir := logged(t, w, "2026-01-01.log", "old\nlast\n")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		err := l.show(ctx, 1, true)
		_ = w.Close()
		done <- err
	}()
	in := bufio.NewReader(r)
	expect := func(want string) {
		t.Helper()
		if got, err := in.ReadString('\n'); err != nil || got != want+"\n" {
			t.Fatalf("got %q, %v, want %q", got, err, want)
		}
	}
	expect("last")
	first := filepath.Join(dir, "2026-01-01.log")
	appendTo(t, first, "one\x1b[2J\nha")
	expect(`one\u001b[2J`)
	appendTo(t, first, "lf\n")
	expect("half")
	// The day ends; what was still logged on it comes before the next.
	appendTo(t, first, "late\n")
	appendTo(t, filepath.Join(dir, "2026-01-02.log"), "next\n")
	expect("late")
	expect("next")
	// --purge empties the file.
	if err := os.Truncate(filepath.Join(dir, "2026-01-02.log"), 0); err != nil {
		t.Fatal(err)
	}
	appendTo(t, filepath.Join(dir, "2026-01-02.log"), "new\n")
	expect("new")
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Ctrl+C ended it with %v", err)
	}
}
