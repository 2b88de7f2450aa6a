package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/testdata/fakeopenai"
)

// slowStart is what a client says on a busy machine.
const slowStart = "astrid: starting the daemon\n"

// TestKill: after kill -9 in the middle of a turn nothing acknowledged is lost, and the
// next prompt just works although socket, token, lock and readiness file are still there.
func TestKill(t *testing.T) {
	t.Parallel()
	b := newBox(t, withFake)
	b.run("", "-p", "mark-kill before", "--session", "k").want(t, 0)
	g, words := newGate(t)
	p := b.begin(b.cmd("-p", words+" mark-kill during", "--session", "k", "--output-format", "json"))
	<-g.reached // the provider has the prompt: it was acknowledged
	if err := syscall.Kill(pid(t, b.home), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	r := p.wait().want(t, 3).says(t, "the connection was lost before the answer was complete")
	var last struct {
		Response string
		Error    struct{ Message string }
	}
	if err := json.Unmarshal([]byte(r.out), &last); err != nil || last.Response != "" || !strings.Contains(last.Error.Message, "the connection was lost") {
		t.Errorf("standard output: %q: %v", r.out, err)
	}
	g.let()
	for _, name := range []string{"system.sock", "system.token", "system.ready", "daemon.lock"} {
		if _, err := os.Lstat(filepath.Join(b.home, "run", name)); err != nil {
			t.Errorf("nothing is stale: %v", err)
		}
	}
	r = b.run("", "-p", "mark-kill after", "--session", "k").want(t, 0, fakeopenai.Echo("mark-kill after"))
	if s := strings.TrimPrefix(r.err, slowStart); s != "" {
		t.Errorf("standard error: %q", s)
	}
	reqs := requestsWith("mark-kill after")
	var said []string
	for _, m := range reqs[len(reqs)-1].Body.Messages {
		if m.Role == "user" {
			said = append(said, m.Text())
		}
	}
	if got := strings.Join(said, "|"); got != "mark-kill before|"+words+" mark-kill during|mark-kill after" {
		t.Errorf("the person's messages are %q", got)
	}
}

// TestStatusAfterKill: a killed daemon is not taken for a running one.
func TestStatusAfterKill(t *testing.T) {
	t.Parallel()
	b := newBox(t, offline)
	b.run("", "start").want(t, 0)
	id := pid(t, b.home)
	if err := syscall.Kill(id, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the kernel to free the lock", func() bool { return pid(t, b.home) == 0 })
	b.run("", "status").want(t, 3, "not running")
	b.run("", "stop").want(t, 0, "not running")
	b.run("", "start").want(t, 0, "started")
}

// TestInterrupt: Ctrl+C ends the command with 130 and the turn with it.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	b := newBox(t, withFake)
	g, words := newGate(t)
	p := b.begin(b.cmd("-p", words, "--session", "i"))
	<-g.reached
	if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if r := p.wait().want(t, 130); r.out != "" {
		t.Errorf("standard output: %q", r.out)
	}
	// The session is free again although the provider still holds the old answer.
	b.run("", "-p", "mark-interrupt next", "--session", "i").want(t, 0, fakeopenai.Echo("mark-interrupt next"))
	g.let()
	if pid(t, b.home) == 0 {
		t.Error("the interrupt reached the daemon")
	}
}

// TestTimeout: --timeout ends the turn, and says so also to who reads JSON.
func TestTimeout(t *testing.T) {
	t.Parallel()
	b := newBox(t, withFake)
	b.run("", "start").want(t, 0)
	g, words := newGate(t)
	r := b.run("", "-p", words, "--session", "t", "--timeout", "300ms", "--output-format", "json").want(t, 4, `"stop_reason": "cancelled"`)
	r.says(t, "not done within 300ms")
	b.run("", "-p", "mark-timeout next", "--session", "t", "--timeout", "5m").want(t, 0, fakeopenai.Echo("mark-timeout next"))
	g.let()
}

// TestEphemeral: a daemon that was started for a prompt leaves by itself, one that was
// started by hand stays.
func TestEphemeral(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		args []string
		stay bool
	}{{"prompt", []string{"-p", "hello"}, false}, {"start", []string{"start"}, true}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBox(t, offline)
			b.env = []string{"ASTRID_IDLE_TIMEOUT_SECS=1"}
			b.run("", c.args...).want(t, 0)
			if c.stay {
				// Three times what the other one gets.
				for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
					if pid(t, b.home) == 0 {
						t.Fatal("the daemon left")
					}
				}
				return
			}
			eventually(t, "the daemon to leave", func() bool { return pid(t, b.home) == 0 })
			b.run("", "-p", "hello").want(t, 0)
		})
	}
	t.Run("bad timeout", func(t *testing.T) {
		t.Parallel()
		b := newBox(t, offline)
		b.env = []string{"ASTRID_IDLE_TIMEOUT_SECS=soon"}
		b.run("", "start").want(t, 3).says(t, `ASTRID_IDLE_TIMEOUT_SECS is "soon": it must be a number of seconds from 1`)
	})
}

// TestLeaving: prompts that arrive while an ephemeral daemon leaves get a new one.
func TestLeaving(t *testing.T) {
	t.Parallel()
	b := newBox(t, offline)
	b.env = []string{"ASTRID_IDLE_TIMEOUT_SECS=1"}
	b.run("", "-p", "hello").want(t, 0)
	for range 3 {
		id := pid(t, b.home)
		eventually(t, "the daemon to remove its readiness file", func() bool {
			_, err := os.Lstat(filepath.Join(b.home, "run", "system.ready"))
			return err != nil || pid(t, b.home) != id
		})
		b.run("", "-p", "hello").want(t, 0)
	}
}

// TestStopWhileBooting: stop does not wait for the compiler.
func TestStopWhileBooting(t *testing.T) {
	t.Parallel()
	b := newBox(t, offline)
	if err := os.RemoveAll(filepath.Join(b.home, "var", "cache")); err != nil {
		t.Fatal(err)
	}
	p := b.begin(b.cmd("start"))
	eventually(t, "the daemon to take clients", func() bool { return b.run("", "status").code == 6 })
	b.run("", "status").want(t, 6, "starting (PID")
	b.run("", "stop").want(t, 0, "stopped")
	_ = p.cmd.Process.Kill() // it would start another one
	p.wait()
}
