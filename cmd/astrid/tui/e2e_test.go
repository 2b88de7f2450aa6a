package tui

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/unicity-astrid/astrid-go/kernel/home"
)

const (
	repo = "../../.."
	// patience is how long a test waits for what should happen soon. The machine may be busy.
	patience = 2 * time.Minute
)

// build compiles the programs, and the capsules they embed if they are not there yet.
func build(t *testing.T) (bin string) {
	t.Helper()
	bin = t.TempDir()
	tool := func(name string, args ...string) {
		t.Helper()
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
		}
	}
	goBuild := func(name string) { tool("go", "build", "-o", filepath.Join(bin, name), repo+"/cmd/"+name) }
	dirs, err := filepath.Glob(filepath.Join(repo, "distros/astralis/capsules/*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		archive := filepath.Join(repo, "distros/astralis/dist", "astrid-capsule-"+filepath.Base(dir)+".capsule")
		if _, err := os.Stat(archive); err == nil {
			continue
		}
		if _, err := os.Stat(filepath.Join(bin, "astrid-build")); err != nil {
			goBuild("astrid-build")
		}
		tool(filepath.Join(bin, "astrid-build"), "-o", archive, dir)
	}
	goBuild("astrid")
	goBuild("astrid-daemon")
	return bin
}

// terminal runs astrid on a pseudo-terminal.
type terminal struct {
	t    *testing.T
	file *os.File // the side of the person
	tty  *os.File
	cmd  *exec.Cmd
	gone chan error

	mu  sync.Mutex
	out bytes.Buffer
}

func open(t *testing.T, bin, root, ws string, args ...string) *terminal {
	t.Helper()
	file, tty, err := pty.Open()
	if err != nil {
		t.Skip("no pseudo-terminal:", err)
	}
	term := &terminal{t: t, file: file, tty: tty, gone: make(chan error, 1)}
	if err := pty.Setsize(file, &pty.Winsize{Rows: 24, Cols: 80}); err != nil {
		t.Fatal(err)
	}
	term.cmd = exec.Command(filepath.Join(bin, "astrid"), args...)
	term.cmd.Dir = ws
	term.cmd.Env = []string{"ASTRID_HOME=" + root, "HOME=" + ws, "PATH=" + os.Getenv("PATH"), "TERM=xterm-256color", "LANG=C.UTF-8"}
	term.cmd.Stdin, term.cmd.Stdout, term.cmd.Stderr = tty, tty, tty
	term.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := term.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { term.gone <- term.cmd.Wait() }()
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := file.Read(buf)
			term.mu.Lock()
			term.out.Write(buf[:n])
			term.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = term.cmd.Process.Kill() // it has ended unless the test failed
		_ = file.Close()
		_ = tty.Close()
	})
	return term
}

func (x *terminal) output() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.out.String()
}

// see waits until text is on the screen. The program draws only what changes, so that it is
// asked to draw everything. Spaces do not count: some are cursor movements.
func (x *terminal) see(text string) {
	x.t.Helper()
	var shown string
	for end := time.Now().Add(patience); time.Now().Before(end); {
		from := len(x.output())
		x.press("\x0c")
		for range 10 {
			time.Sleep(20 * time.Millisecond)
			shown = ansi.Strip(x.output()[from:])
			if strings.Contains(dense(shown), dense(text)) {
				return
			}
		}
	}
	x.t.Fatalf("%q is not on the screen:\n%s", text, shown)
}

// shows tells whether text comes to the screen within the time that a dialog ignores keys.
func (x *terminal) shows(text string) bool {
	from := len(x.output())
	x.press("\x0c")
	for end := time.Now().Add(3 * quiet); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if strings.Contains(dense(ansi.Strip(x.output()[from:])), dense(text)) {
			return true
		}
	}
	return false
}

// printed tells whether text was written, wherever.
func (x *terminal) printed(text string) bool {
	// What a program wrote last may still be on its way when it has ended.
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if strings.Contains(dense(ansi.Strip(x.output())), dense(text)) {
			return true
		}
	}
	return false
}

func dense(s string) string { return strings.Join(strings.Fields(s), "") }

func (x *terminal) press(keys string) {
	x.t.Helper()
	if _, err := io.WriteString(x.file, keys); err != nil {
		x.t.Fatal(err)
	}
}

func (x *terminal) state() *unix.Termios {
	x.t.Helper()
	s, err := getTermios(int(x.tty.Fd()))
	if err != nil {
		x.t.Fatal(err)
	}
	return s
}

// ends waits for the exit and checks that the terminal is as it was.
func (x *terminal) ends(before *unix.Termios, code int) {
	x.t.Helper()
	select {
	case <-x.gone:
	case <-time.After(patience):
		x.t.Fatalf("astrid does not end:\n%s", ansi.Strip(x.output()))
	}
	if got := x.cmd.ProcessState.ExitCode(); got != code {
		x.t.Errorf("exit code %d, not %d", got, code)
	}
	if after := x.state(); !reflect.DeepEqual(before, after) {
		x.t.Errorf("the terminal is not restored: %+v, was %+v", after, before)
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
	for _, mode := range []string{"1049", "1002", "2004"} { // alternate screen, mouse, paste
		if on, off := strings.LastIndex(out, "\x1b[?"+mode+"h"), strings.LastIndex(out, "\x1b[?"+mode+"l"); on < 0 || off < on {
			return "mode " + mode + " is left on"
		}
	}
	if strings.LastIndex(out, "\x1b[?25h") < strings.LastIndex(out, "\x1b[?25l") {
		return "the cursor is left hidden"
	}
	return ""
}

func TestChatOnATerminal(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs the programs")
	}
	bin := build(t)
	// The short path leaves room for the socket.
	dir, err := os.MkdirTemp("/tmp", "astrid-tui-")
	if err != nil {
		t.Fatal(err)
	}
	root, ws := filepath.Join(dir, "h"), filepath.Join(dir, "ws")
	t.Cleanup(func() {
		stop := exec.Command(filepath.Join(bin, "astrid"), "stop")
		stop.Env = []string{"ASTRID_HOME=" + root, "PATH=" + os.Getenv("PATH")}
		if out, err := stop.CombinedOutput(); err != nil && !strings.Contains(string(out), "not running") {
			t.Errorf("stop: %v %s", err, out)
		}
		_ = os.RemoveAll(dir)
	})
	if err := os.MkdirAll(ws, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(ws, "harbour.txt"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}

	setUp := exec.Command(filepath.Join(bin, "astrid"), "init", "--yes")
	setUp.Env = []string{"ASTRID_HOME=" + root, "PATH=" + os.Getenv("PATH")}
	if out, err := setUp.CombinedOutput(); err != nil {
		t.Fatalf("init: %v %s", err, out)
	}

	x := open(t, bin, root, ws, "chat", "--session", "sea")
	before := x.state()
	x.see("safe · offline") // the status line is complete: connected
	x.press("list the files\r")
	x.see("list_directory")
	x.see("harbour.txt")
	x.see(" out")

	// The network is asked about, and as it is denied nothing goes there. Keys typed as the question
	// appears are not taken for an answer, so that they are tried until one is.
	x.press("use fetch_url with {\"url\":\"https://192.0.2.1/x\"}\r")
	x.see("0 Deny")
	for end := time.Now().Add(patience); !x.shows("▸ 0 Deny") && time.Now().Before(end); {
		x.press("0")
	}
	x.press("\r")
	x.see("enter denies")
	x.press("not that file\r")
	x.see("deny: ")
	x.see("(not that file)")
	x.press("/audit\r")
	x.see("deny")
	x.see("v verify")
	x.press("v")
	x.see("intact")
	x.press("q")
	x.see("Ask something")

	if err := pty.Setsize(x.file, &pty.Winsize{Rows: 12, Cols: 50}); err != nil {
		t.Fatal(err)
	}
	x.see(strings.Repeat("─", 50))
	x.press("\x1b") // nothing runs: nothing happens

	// A daemon that dies is noticed; the next prompt starts another one.
	h, err := home.Resolve(func(string) (string, bool) { return root, true })
	if err != nil {
		t.Fatal(err)
	}
	pid, held, err := home.HolderOf(h.LockFile())
	if err != nil || !held {
		t.Fatalf("no daemon: %v", err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	x.see("is lost")
	x.press("search for x\r")
	x.see("it was restarted")
	x.see("grep_search")

	x.press("\x04")
	x.ends(before, 0)
	if !x.printed("Continue with: astrid chat --session ") {
		t.Errorf("no hint how to go on: %q", x.output())
	}

	// The session is still there, and the arrow key knows what was said.
	y := open(t, bin, root, ws, "chat", "--session", "sea")
	before = y.state()
	y.see("harbour.txt")
	y.press("\x1b[A")
	y.see("search for x")
	y.press("\x03\x03")
	y.ends(before, 0)

	z := open(t, bin, root, ws)
	before = z.state()
	z.see("safe · offline")
	if err := z.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	z.ends(before, 130)
	if fi, err := os.Stat(h.HistoryFile()); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("input history: %v %v", fi, err)
	}
}
