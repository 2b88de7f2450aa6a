package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/unicity-astrid/astrid-go/cmd/astrid/cli"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/tui"
	"github.com/unicity-astrid/astrid-go/kernel/home"
)

// esc is the Escape key as a terminal sends it that tells it from the beginning of another.
const esc = "\x1b[27u"

// TestChatOnATerminal holds a whole conversation with the real program.
func TestChatOnATerminal(t *testing.T) {
	t.Parallel()
	b := newBox(t, withFake)
	b.write("harbour.txt", "x")
	x := b.open(80, 24, b.cmd("chat", "--session", "sea"))
	x.see("safe · openai-compat") // the status line is complete: connected
	x.press("call list_directory {\"dir_path\":\".\"}\r")
	x.see("list_directory")
	x.see("harbour.txt")
	x.see(" out")

	// The network is asked about, and as it is denied nothing goes there. Keys typed as the question
	// appears are not taken for an answer, so that they are tried until one is.
	x.press("call fetch_url {\"url\":\"https://page.invalid/x\"}\r")
	x.see("0 Deny")
	x.until("0", "▸ 0 Deny")
	x.press("\r")
	x.see("enter denies")
	x.press("not that file\r")
	x.see("(not that file)")
	if out := dense(x.output()); strings.Contains(out, "answeritwith") {
		t.Error("a denied request is said to wait for an answer")
	}

	// A command of the person goes the same way, and no model is asked for it.
	before := len(requestsWith("echo one two"))
	x.press("!echo one two\r")
	x.see("run_shell_command")
	x.until("0", "▸ 0 Deny")
	x.press("\r\r")
	x.see("run_shell_command echo one two denied")
	if n := len(requestsWith("echo one two")) - before; n > 0 {
		t.Errorf("a model was asked %d times for a command", n)
	}
	x.press("/audit\r")
	x.see("deny")
	x.see("v verify")
	x.press("v")
	x.see("intact")
	x.press("q")
	x.see("Ask something")

	// What a script in another window wants is asked here, and it says so and waits.
	// So it does where it answers some questions itself, but not this one.
	for i, rule := range [][]string{nil, {"--max-risk", "low"}} {
		p := b.open(100, 20, b.cmd(append([]string{"-p", fmt.Sprintf("call fetch_url {\"url\":\"https://page.invalid/other%d\"}", i)}, rule...)...))
		p.see("another window is asked")
		x.see("(another one)")
		x.until("0", "▸ 0 Deny")
		x.press("\r\r")
		p.ends(8)
		x.see("Ask something")
	}

	// Esc cancels what does not end by itself; what was typed meanwhile is asked next.
	g, words := newGate(t)
	x.press(words + "\r")
	<-g.reached
	x.see("esc cancels")
	x.press("and after that\r")
	x.see("and after that")
	x.press(esc)
	x.see("cancelled")
	x.see("You said: and after that")
	g.let()

	x.resize(50, 12)
	x.see(strings.Repeat("─", 50))
	x.press(esc) // nothing runs: nothing happens

	// A daemon that dies is noticed; the next prompt starts another one.
	id := pid(t, b.home)
	if id == 0 {
		t.Fatal("no daemon")
	}
	if err := syscall.Kill(id, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	x.see("trying again")
	x.press("call grep_search {\"pattern\":\"x\"}\r")
	x.see("it was restarted")
	x.see("grep_search")

	x.press("\x04")
	x.ends(0)
	x.printed("Continue with: astrid chat --session ")

	// The session is still there, and the arrow key knows what was said.
	y := b.open(80, 24, b.cmd("chat", "--session", "sea"))
	y.see("grep_search")
	y.press("\x1b[A")
	y.see("call grep_search")
	y.press("\x03\x03")
	y.ends(0)

	h, err := home.New(b.home)
	if err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(h.HistoryFile()); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("input history: %v %v", fi, err)
	}
}

// TestTerminalIsRestored: however the screen ends, the terminal is as it was.
func TestTerminalIsRestored(t *testing.T) {
	t.Parallel()
	b := newBox(t, offline)
	b.run("", "start").want(t, 0)
	for _, c := range []struct {
		name string
		end  func(*terminal)
		code int
	}{
		{"SIGTERM", func(x *terminal) { x.signal(syscall.SIGTERM) }, 130},
		{"SIGHUP", func(x *terminal) { x.signal(syscall.SIGHUP) }, 130},
		{"SIGINT", func(x *terminal) { x.signal(syscall.SIGINT) }, 130},
		{"quit", func(x *terminal) { x.press("/quit\r") }, 0},
		{"end of input", func(x *terminal) { x.press("\x04") }, 0},
	} {
		for _, args := range [][]string{{"chat"}, {"chat", "--inline"}} {
			t.Run(filepath.Join(c.name, strings.Join(args, " ")), func(t *testing.T) {
				if c.name == "SIGHUP" && signal.Ignored(syscall.SIGHUP) {
					t.Skip("runs under nohup, as the program then does")
				}
				x := b.open(80, 24, b.cmd(args...))
				x.t = t
				x.see("safe · offline")
				c.end(x)
				x.ends(c.code)
			})
		}
	}
}

func (x *terminal) signal(s os.Signal) {
	x.t.Helper()
	if err := x.cmd.Process.Signal(s); err != nil {
		x.t.Fatal(err)
	}
}

// TestPanicRestoresTheTerminal: also when the program itself is broken, beside the screen at that.
func TestPanicRestoresTheTerminal(t *testing.T) {
	t.Parallel()
	b := newBox(t, offline)
	b.run("", "start").want(t, 0)
	h, err := home.New(b.home)
	if err != nil {
		t.Fatal(err)
	}
	x := b.open(80, 24, exec.Command("sleep", "infinity")) // the terminal's, until this process has done with it
	ended := make(chan error, 1)
	go func() {
		_, err := tui.Run(t.Context(), tui.Options{
			Home: h, Version: cli.Version, Workspace: b.ws, Session: "s", Input: x.tty, Output: x.tty, Quiet: true,
			Getenv: func(name string) (string, bool) { return "C.UTF-8", name == "LANG" },
			Astrid: func(context.Context, ...string) (string, string, int) { panic("broken on purpose") },
		})
		ended <- err
	}()
	x.see("safe · offline")
	x.press("/audit\r")
	select {
	case err := <-ended:
		if err == nil || !strings.Contains(err.Error(), "internal error: broken on purpose") {
			t.Errorf("it ends with %v", err)
		}
	case <-time.After(patience):
		t.Fatalf("it goes on:\n%s", ansi.Strip(x.output()))
	}
	x.signal(syscall.SIGTERM)
	x.ends(-1)
}
