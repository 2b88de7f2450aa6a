package e2e

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// terminal is a pseudo-terminal with a program on it, and an emulator that knows what it shows.
type terminal struct {
	t      testing.TB
	file   *os.File // the side of the person
	tty    *os.File
	cmd    *exec.Cmd
	gone   chan error
	before *unix.Termios

	mu     sync.Mutex
	out    bytes.Buffer // all that was written
	screen *vt.Emulator // what came of it
}

// open starts a program of the box on a terminal of its own.
func (b *box) open(w, h int, cmd *exec.Cmd) *terminal {
	b.t.Helper()
	file, tty, err := pty.Open()
	if err != nil {
		b.t.Skip("no pseudo-terminal:", err)
	}
	x := &terminal{t: b.t, file: file, tty: tty, cmd: cmd, gone: make(chan error, 1), screen: vt.NewEmulator(w, h)}
	x.resize(w, h)
	x.before = x.state()
	cmd.Env = append([]string{"TERM=xterm-256color"}, cmd.Env...) // the last of a name counts
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	go func() { x.gone <- cmd.Wait() }()
	go x.show()
	go func() { _, _ = io.Copy(file, x.screen) }() // what a terminal answers when it is asked about itself
	b.t.Cleanup(func() {
		_ = cmd.Process.Kill() // it has ended unless the test failed
		_ = file.Close()
		_ = tty.Close()
		_ = x.screen.Close()
	})
	return x
}

// show puts on the screen what the program writes.
func (x *terminal) show() {
	buf := make([]byte, 4096)
	for {
		n, err := x.file.Read(buf)
		x.mu.Lock()
		x.out.Write(buf[:n])
		_, _ = x.screen.Write(buf[:n])
		x.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (x *terminal) output() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.out.String()
}

// shown is what a person sees, and above it what has left the screen at its top.
func (x *terminal) shown() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	var b strings.Builder
	if !x.screen.IsAltScreen() {
		for y := range x.screen.ScrollbackLen() {
			for i := range x.screen.Width() {
				if c := x.screen.ScrollbackCellAt(i, y); c != nil {
					b.WriteString(c.Content)
				}
			}
			b.WriteByte('\n')
		}
	}
	return b.String() + x.screen.String()
}

func (x *terminal) resize(w, h int) {
	x.t.Helper()
	x.mu.Lock()
	x.screen.Resize(w, h)
	x.mu.Unlock()
	if err := pty.Setsize(x.file, &pty.Winsize{Rows: uint16(h), Cols: uint16(w)}); err != nil {
		x.t.Fatal(err)
	}
}

func (x *terminal) press(keys string) {
	x.t.Helper()
	if _, err := io.WriteString(x.file, keys); err != nil {
		x.t.Fatal(err)
	}
}

// appears waits until text is on the screen, wherever its lines are broken.
func (x *terminal) appears(text string, within time.Duration) (shown string, ok bool) {
	text = dense(text)
	for end := time.Now().Add(within); ; time.Sleep(5 * time.Millisecond) {
		if shown = x.shown(); strings.Contains(dense(shown), text) {
			return shown, true
		}
		if time.Now().After(end) {
			return shown, false
		}
		select {
		case err := <-x.gone:
			x.gone <- err
			end = time.Now().Add(min(within, time.Second)) // for what is still on its way
			within = 0
		default:
		}
	}
}

// look waits until text is on the screen.
func (x *terminal) look(text string) error {
	if shown, ok := x.appears(text, patience); !ok {
		return fmt.Errorf("%q is not on the screen:\n%s", text, shown)
	}
	return nil
}

func (x *terminal) see(text string) {
	x.t.Helper()
	if err := x.look(text); err != nil {
		x.t.Fatal(err)
	}
}

// until presses a key until text is on the screen: a dialog that has just come takes none yet.
func (x *terminal) until(key, text string) {
	x.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		x.press(key)
		if _, ok := x.appears(text, time.Second); ok { // longer than a dialog wants to be left alone
			return
		}
	}
	x.see(text)
}

// printed waits until text was written, wherever.
func (x *terminal) printed(text string) {
	x.t.Helper()
	eventually(x.t, "the terminal to get "+text, func() bool { return strings.Contains(dense(ansi.Strip(x.output())), dense(text)) })
}

func dense(s string) string { return strings.Join(strings.Fields(s), "") }

func (x *terminal) state() *unix.Termios {
	x.t.Helper()
	s, err := getTermios(int(x.tty.Fd()))
	if err != nil {
		x.t.Fatal(err)
	}
	return s
}

// ends waits for the exit and checks that the terminal is as it was.
func (x *terminal) ends(code int) {
	x.t.Helper()
	select {
	case <-x.gone:
	case <-time.After(3 * patience):
		x.t.Fatalf("it does not end:\n%s", ansi.Strip(x.output()))
	}
	if got := x.cmd.ProcessState.ExitCode(); got != code {
		x.t.Errorf("exit code %d, not %d:\n%s", got, code, ansi.Strip(x.output()))
	}
	if after := x.state(); !reflect.DeepEqual(x.before, after) {
		x.t.Errorf("the terminal is not restored: %+v, was %+v", after, x.before)
	}
	// What a program wrote last may still be on its way when it has ended.
	var left string
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if left = leftOn(x.output()); left == "" {
			return
		}
	}
	x.t.Error(left)
}

// leftOn tells what a program has not undone of what it did to the terminal.
func leftOn(out string) string {
	for _, mode := range []string{"1049", "1000", "1002", "1003", "1004", "1006", "2004", "2026"} { // alternate screen, mouse, focus, paste
		if on := strings.LastIndex(out, "\x1b[?"+mode+"h"); on >= 0 && strings.LastIndex(out, "\x1b[?"+mode+"l") < on {
			return "mode " + mode + " is left on"
		}
	}
	if strings.LastIndex(out, "\x1b[?25h") < strings.LastIndex(out, "\x1b[?25l") {
		return "the cursor is left hidden"
	}
	return ""
}

// act carries out what a script says, one line after the other:
//
//	see TEXT       wait until it is on the screen
//	type TEXT      \r, \x1b and the like are keys
//	until KEY TEXT press a key until TEXT is on the screen
//	resize WxH
func (x *terminal) act(script string) error {
	for n, text := range strings.Split(script, "\n") {
		verb, arg, _ := strings.Cut(strings.TrimSpace(text), " ")
		var err error
		switch verb {
		case "", "#":
		case "see":
			err = x.look(arg)
		case "type", "until":
			key, then := arg, ""
			if verb == "until" {
				key, then, _ = strings.Cut(arg, " ")
			}
			if key, err = strconv.Unquote(`"` + key + `"`); err == nil {
				x.press(key)
				if verb == "until" {
					x.until(key, then)
				}
			}
		case "resize":
			var w, h int
			if _, err = fmt.Sscanf(arg, "%dx%d", &w, &h); err == nil {
				x.resize(w, h)
			}
		default:
			err = fmt.Errorf("no such line: %q", verb)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", n+1, err)
		}
	}
	return nil
}
