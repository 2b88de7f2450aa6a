package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/client"
)

// answerTimeout is how long a program or the daemon may take to answer.
const answerTimeout = 5 * time.Second

// binaries checks that the companions are there and of the same version.
func (r *report) binaries(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	path, err := client.Binary("astrid-daemon")
	if err != nil {
		r.fail("programs", err, "install all three programs in one directory")
		return
	}
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		r.fail("programs", fmt.Errorf("%s --version: %w", path, err), "install astrid-daemon again")
		return
	}
	fields := strings.Fields(string(out))
	if len(fields) == 0 || fields[len(fields)-1] != r.o.Version {
		r.add("programs", Fail, fmt.Sprintf("astrid is %s, %s is %q", r.o.Version, path, strings.TrimSpace(string(out))),
			"install astrid and astrid-daemon of the same version")
		return
	}
	r.add("programs", OK, "astrid and astrid-daemon "+r.o.Version, "")
	for _, p := range []struct{ name, use string }{
		{"git", "it is needed to install capsules from repositories"},
	} {
		if _, err := exec.LookPath(p.name); err != nil {
			r.add("programs", Warn, p.name+" is not on PATH: "+p.use, "install "+p.name)
		}
	}
}

// daemon checks the one that runs, if one does.
func (r *report) daemon(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	conn, err := client.Dial(ctx, r.o.Home, r.o.Version)
	if errors.Is(err, client.ErrNoDaemon) {
		r.add("daemon", OK, "not running; it is started when it is needed", "")
		return
	}
	if err != nil {
		r.fail("daemon", err, "run: astrid stop; astrid start")
		return
	}
	defer conn.Close()
	raw, err := conn.Manage(ctx, abi.MethodGetStatus, nil)
	var st abi.DaemonStatus
	if err == nil {
		err = json.Unmarshal(raw, &st)
	}
	if err != nil {
		r.fail("daemon", err, "run: astrid stop; astrid start")
		return
	}
	if st.Version != r.o.Version {
		r.add("daemon", Warn, fmt.Sprintf("the running daemon is %s, astrid is %s", st.Version, r.o.Version), "run: astrid stop; astrid start")
	} else {
		r.add("daemon", OK, fmt.Sprintf("running (PID %d), %d of %d capsules ready", st.PID, len(st.LoadedCapsules), len(st.Capsules)), "")
	}
	for _, c := range st.Capsules {
		if c.State != "ready" && c.State != "disabled" {
			r.add("daemon", Fail, fmt.Sprintf("capsule %s is %s: %s", c.Name, c.State, c.Reason), "run: astrid logs "+c.Name)
		}
	}
}
