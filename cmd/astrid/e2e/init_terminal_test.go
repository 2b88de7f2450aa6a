package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// screen is a program on a real terminal, which tmux plays.
type screen struct {
	t      *testing.T
	socket string
}

// onScreen starts a command line on a terminal of a size. The terminal stays when it ends.
func (b *box) onScreen(t *testing.T, cols, rows int, command string) *screen {
	t.Helper()
	if _, err := exec.LookPath("tmux"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("tmux is needed for this test")
		}
		t.Skip("tmux is not installed")
	}
	s := &screen{t: t, socket: filepath.Join(filepath.Dir(b.home), "tmux.sock")}
	// The shell says the exit code where the test reads it.
	cmd := exec.Command("tmux", "-S", s.socket, "-f", "/dev/null", "new-session", "-d", "-x", strconv.Itoa(cols), "-y", strconv.Itoa(rows),
		command+"; echo exit $?; exec cat")
	cmd.Dir = b.ws
	cmd.Env = append(environ(b.home), b.env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("tmux: %v: %s", err, out)
	}
	t.Cleanup(func() { s.tmux("kill-server") })
	return s
}

func (s *screen) tmux(args ...string) string {
	s.t.Helper()
	out, err := exec.Command("tmux", append([]string{"-S", s.socket}, args...)...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("tmux %v: %v: %s", args, err, out)
	}
	return string(out)
}

// press sends keys, by the names that tmux has for them.
func (s *screen) press(keys ...string) { s.tmux(append([]string{"send-keys"}, keys...)...) }

// shows waits until the screen matches, and returns it.
func (s *screen) shows(pattern string) string {
	s.t.Helper()
	re := regexp.MustCompile(pattern)
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		text := s.tmux("capture-pane", "-p")
		if re.MatchString(text) {
			return text
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the screen never matched %q:\n%s", pattern, text)
		}
	}
}

// TestInitOnTerminal is what most people see first: providers are picked, a key is typed, what is shown is agreed to.
func TestInitOnTerminal(t *testing.T) {
	t.Parallel()
	command := filepath.Join(binDir, "astrid") + " init --distro astralis-min"
	for _, c := range []struct {
		name       string
		cols, rows int
		env        string
	}{{"wide", 80, 24, "COLORTERM=truecolor"}, {"small", 40, 10, "NO_COLOR=1"}} {
		t.Run(c.name, func(t *testing.T) {
			b := newBox(t, offline) // everything is compiled
			b.env = append(b.env, c.env)
			s := b.onScreen(t, c.cols, c.rows, command)
			s.shows(`(?s)Providers for llm.*> ✓ offline\s*\n.*• openai-compat`)
			s.press("Space")
			s.shows(`> • offline`)
			s.press("Enter")
			s.shows(`choose at least one`)
			s.press("Down", "Space")
			s.shows(`> ✓ openai-compat`)
			s.press("Enter")
			s.shows(`API key`)
			s.press("-l", "sk-hidden")
			s.press("Enter")
			s.shows(`Base URL`)
			s.press("-l", "http://127.0.0.1:1")
			s.press("Enter")
			if text := s.shows(`Model`); strings.Contains(text, "sk-hidden") {
				t.Errorf("the key is on the screen:\n%s", text)
			}
			s.press("Enter") // the default
			text := s.shows(`Install these capsules\?`)
			if c.rows > 20 && !strings.Contains(text, "network http://127.0.0.1:1 by") {
				t.Errorf("it does not say which address:\n%s", text)
			}
			s.press("y", "Enter")
			text = s.shows(`exit \d+`)
			if !strings.Contains(text, "exit 0") || !strings.Contains(text, "installed astralis-min") {
				t.Errorf("init ended so:\n%s", text)
			}
			for n, line := range strings.Split(text, "\n") {
				if len([]rune(line)) > c.cols || strings.Contains(line, "\x1b") {
					t.Errorf("line %d is broken: %q", n, line)
				}
			}
			if bars := regexp.MustCompile(`(?m)^  session +\[`).FindAllString(text, -1); len(bars) > 1 {
				t.Errorf("bars are drawn below each other:\n%s", text)
			}
		})
	}
	t.Run("interrupted", func(t *testing.T) {
		b := newBox(t, "")
		s := b.onScreen(t, 80, 24, command)
		s.shows(`Providers for llm`)
		s.press("Enter")
		s.shows(`Install these capsules\?`)
		s.press("C-c")
		s.shows(`(?s)astrid: interrupted\n.*exit 130`)
		if _, err := os.Stat(filepath.Join(b.home, "home/default/.local/capsules/astrid-capsule-fs")); err == nil {
			t.Error("it was installed all the same")
		}
		// In the middle of a secret, the echo comes back.
		s = b.onScreenAgain(t, command+" --provider openai-compat")
		s.shows(`API key`)
		s.press("C-c")
		s.shows(`exit 130`)
		s.press("-l", "seen?")
		s.shows(`seen\?`)
	})
}

// onScreenAgain is onScreen in a second window of the box.
func (b *box) onScreenAgain(t *testing.T, command string) *screen {
	t.Helper()
	s := &screen{t: t, socket: filepath.Join(filepath.Dir(b.home), "tmux.sock")}
	s.tmux("new-window", command+"; echo exit $?; exec cat")
	return s
}
