package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// hostile is text that would steer a terminal: title, colour, cursor, clipboard, a reordering and
// the same in eight-bit form.
const hostile = "begin \x1b]0;owned\a \x1b]52;c;b3duZWQ=\a \x1b[31mHOSTILE \x1b[2JHOSTILE \x1bcHOSTILE \u009b2JHOSTILE \u202eHOSTILE\u202c &#27;[2JHOSTILE end"

// obeyed are what must never reach a terminal.
var obeyed = []string{"\x1b]0;owned", "\x1b]2;owned", "b3duZWQ=\a", "\x1b[31mHOSTILE", "\x1b[2JHOSTILE", "\x1bcHOSTILE", "\u009b", "\u202e"}

func (x *terminal) harmless() {
	x.t.Helper()
	for _, s := range obeyed {
		if strings.Contains(x.output(), s) {
			x.t.Errorf("the terminal got %q", s)
		}
	}
}

// TestHostileText: what a model, a tool, a file's name or a session's title says is shown, and never obeyed.
func TestHostileText(t *testing.T) {
	t.Parallel()
	b := newBox(t, withFake)
	b.run("", "start").want(t, 0)
	name := "evil\x1b[2JHOSTILE.txt"
	b.write(name, hostile+"\n")

	x := b.open(80, 24, b.cmd("-p", "scenario:hostile"))
	x.ends(0)
	x.printed("begin")
	x.printed("end")
	x.harmless()

	// The first prompt is the session's title.
	quoted, err := json.Marshal(map[string]string{"file_path": name})
	if err != nil {
		t.Fatal(err)
	}
	b.run("", "--session", "bad", "-p", "\x1b[2JHOSTILE \x1b]0;owned\a title\ncall list_directory {\"dir_path\":\".\"}\ncall read_file "+string(quoted)).want(t, 0)
	written, err := json.Marshal(map[string]string{"file_path": "new-HOSTILE.txt", "content": hostile})
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"session", "list"}, {"session", "show", "bad"}, {"session", "search", "HOSTILE"}, {"audit", "tail", "-n", "50"}, {"approvals"}, {"models"}} {
		x := b.open(200, 40, b.cmd(args...))
		x.ends(0)
		x.harmless()
	}

	x = b.open(100, 30, b.cmd("chat", "--session", "bad"))
	x.see("HOSTILE")
	x.press("scenario:hostile\r")
	x.see("begin")
	x.press("call write_file " + string(written) + "\r")
	x.see("write_file")
	x.press("/diff\r")
	x.see("Changes of this session") // instead of the conversation, which has the name, too
	x.until("r", "new-HOSTILE.txt")  // read again until the tool has written it
	x.press("\r")
	x.see("begin")
	x.press("qq/sessions\r")
	x.see("title")
	x.press("q")
	x.see("Ask something")
	x.press("@evil")
	x.see("evil")
	x.press("\x15\x04")
	x.ends(0)
	x.harmless()
	for _, args := range [][]string{{"diff", "--session", "bad"}, {"diff", "--session", "bad", "--stat"}, {"diff", "--sessions"}, {"commit", "--session", "bad", "--dry-run"}} {
		x := b.open(200, 40, b.cmd(args...))
		x.ends(0)
		x.harmless()
	}
}

// TestDumbTerminal: no sequence at all goes to a terminal that knows none.
func TestDumbTerminal(t *testing.T) {
	t.Parallel()
	b := newBox(t, withFake)
	for _, c := range []struct {
		code int
		args []string
		says string
	}{{0, []string{"-p", "hello"}, "You said: hello"}, {2, []string{"chat"}, "TERM is \"dumb\""}, {2, nil, "TERM is \"dumb\""}, {0, []string{"models"}, "some-model"}} {
		cmd := b.cmd(c.args...)
		cmd.Env = append(cmd.Env, "TERM=dumb")
		x := b.open(80, 24, cmd)
		x.ends(c.code)
		x.printed(c.says)
		if strings.Contains(x.output(), "\x1b") {
			t.Errorf("astrid %q: %q", c.args, x.output())
		}
	}
}

// tongues are wide characters, emoji of several runes, combining marks and a script that runs from right to left.
const tongues = "漢字かな交じり文 👩‍👩‍👧‍👦 🇫🇷 👍🏽 é שלום עולם مرحبا"

// TestTonguesAndLongAnswers: a pipe gets every byte, the screen keeps its shape.
func TestTonguesAndLongAnswers(t *testing.T) {
	t.Parallel()
	b := newBox(t, withFake)
	b.run("", "start").want(t, 0)
	r := b.run("", "-p", tongues).want(t, 0, "You said: "+tongues)
	if r.err != "" {
		t.Errorf("standard error: %q", r.err)
	}
	const size = 1 << 20
	if r := b.run("", "-p", "scenario:big:1048576").want(t, 0); len(r.out) < size || len(r.out) > size+1 {
		t.Errorf("of an answer of %d bytes %d came", size, len(r.out))
	}
	x := b.open(80, 24, b.cmd("chat"))
	x.see("safe")
	x.press("scenario:big:1048576\r")
	x.press("and then\r") // waits
	x.see("You said: and then")
	x.press("\x1b[5~\x1b[5~\x1b[5~")
	x.see("0123456789abcde")
	x.resize(40, 10)
	x.see(strings.Repeat("─", 40))
	x.press("\x04")
	x.ends(0)
}

// TestTmux: in a real terminal every row is where it should be, whatever is in it and whatever size it has.
func TestTmux(t *testing.T) {
	t.Parallel()
	tmux, err := exec.LookPath("tmux")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("tmux is missing")
		}
		t.Skip("needs tmux")
	}
	b := newBox(t, withFake)
	b.run("", "start").want(t, 0)
	socket := filepath.Join(filepath.Dir(b.home), "tmux")
	do := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(tmux, append([]string{"-u", "-S", socket, "-f", "/dev/null"}, args...)...)
		cmd.Dir, cmd.Env = b.ws, append(environ(b.home), "TERM=xterm-256color")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("tmux %q: %v\n%s", args, err, out)
		}
		return string(out)
	}
	do("new-session", "-d", "-x", "80", "-y", "24", filepath.Join(binDir, "astrid")+" chat --session t; sleep 1000")
	t.Cleanup(func() { do("kill-server") })
	screen := func(has string) (all string) {
		t.Helper()
		eventually(t, has+" on the screen", func() bool {
			all = do("capture-pane", "-p")
			return strings.Contains(all, has)
		})
		return all
	}
	screen("safe · openai-compat")
	do("send-keys", "-l", tongues)
	do("send-keys", "Enter")
	all := screen("You said: 漢字")
	for _, word := range strings.Fields(tongues) {
		if !strings.ContainsRune(word, '\u200d') && !strings.Contains(all, word) { // tmux takes joined emoji apart
			t.Errorf("%q is not on the screen:\n%s", word, all)
		}
	}
	for _, size := range [][2]string{{"40", "10"}, {"200", "50"}, {"80", "24"}} {
		do("resize-window", "-x", size[0], "-y", size[1])
		n := map[string]int{"40": 40, "200": 200, "80": 80}[size[0]]
		all := screen(strings.Repeat("─", n))
		if strings.Count(all, strings.Repeat("─", n)) != 1 || strings.Count(all, "Ask something") != 1 {
			t.Errorf("after a resize to %v:\n%s", size, all)
		}
	}
	do("send-keys", "C-d")
	screen("Continue with: astrid chat --session ")
}
