package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	remedyBwrap = "Install it: `apt install bubblewrap` (Debian, Ubuntu), `dnf install bubblewrap` (Fedora), `pacman -S bubblewrap` (Arch), `apk add bubblewrap` (Alpine)"
	remedyUser  = "Permit unprivileged user namespaces: `sudo sysctl -w kernel.unprivileged_userns_clone=1` (Debian), " +
		"`sudo sysctl -w user.max_user_namespaces=15000`, on Ubuntu 24.04 and later `sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`; " +
		"in a container start it with `--privileged`, or with `--security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined`"
)

// findBwrap finds bubblewrap.
func findBwrap() (string, error) {
	p, err := exec.LookPath("bwrap")
	if err == nil {
		p, err = filepath.Abs(p)
	}
	if err != nil {
		return "", &unavailable{"bubblewrap (bwrap) is not installed", remedyBwrap}
	}
	return p, nil
}

// cannotIsolate explains why a keeper could not be started or make its mounts.
func cannotIsolate(err error) error {
	return &unavailable{fmt.Sprintf("the system does not let a user make namespaces and mounts (%v)", err), remedyUser}
}

// Probe tries the sandbox out, with a program that does nothing.
func Probe(ctx context.Context) Report {
	r := Report{Kind: "bubblewrap", Kernel: kernelVersion()}
	if p, err := findBwrap(); err == nil {
		r.Program = p
		if out, err := exec.CommandContext(ctx, p, "--version").Output(); err == nil {
			r.Version = strings.TrimSpace(strings.TrimPrefix(string(out), "bubblewrap "))
		}
	}
	if err := probe(ctx); err != nil {
		r.Problem = err.Error()
		var u *unavailable
		if errors.As(err, &u) {
			r.Problem, r.Remedy = u.reason, u.remedy
		}
		return r
	}
	r.Available = true
	return r
}

func probe(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "astrid-probe-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	o := Options{Workspace: filepath.Join(dir, "workspace"), Upper: filepath.Join(dir, "upper"), Work: filepath.Join(dir, "work")}
	for _, d := range []string{o.Workspace, o.Upper, o.Work} {
		if err := os.Mkdir(d, 0o700); err != nil {
			return err
		}
	}
	b, err := Open(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	path, _, err := o.Find("true", false)
	if err != nil {
		return err
	}
	c, err := b.Start(Command{Path: path})
	if err != nil {
		return err
	}
	select {
	case <-c.Done():
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	e := c.Exit()
	if e.Err != nil {
		return cannotIsolate(e.Err)
	}
	if e.Code != 0 {
		return fmt.Errorf("%s ended with status %d", path, e.Code)
	}
	return nil
}
