package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/client"
	"github.com/unicity-astrid/astrid-go/kernel/home"
)

// reload makes a running daemon load what is installed now. Without one there is nothing
// to do.
func reload(ctx context.Context, h home.Home) error {
	_, err := reloadStatus(ctx, h)
	return err
}

// reloadStatus is reload, and what the daemon says about its capsules afterwards; nil
// without a daemon.
func reloadStatus(ctx context.Context, h home.Home) (*abi.DaemonStatus, error) {
	conn, err := client.Dial(ctx, h, Version)
	if errors.Is(err, client.ErrNoDaemon) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if _, err := conn.Manage(ctx, abi.MethodReloadCapsules, nil); err != nil {
		return nil, fmt.Errorf("the files are in place, but the running daemon did not take the change: %w", err)
	}
	return fetchStatus(ctx, conn)
}

// notRunning is an error with the reason unless the daemon says that the capsule is ready.
// Of a version that was not loaded the refusal counts, also while the one before runs on.
func notRunning(st *abi.DaemonStatus, name string) error {
	var found *abi.CapsuleStatus
	for i, c := range st.Capsules {
		if c.Name == name && (found == nil || c.State != "ready") {
			found = &st.Capsules[i]
		}
	}
	switch {
	case found == nil:
		return fail(ExitDegraded, "%s is installed, but the daemon does not see it: does it serve another home?", name)
	case found.State != "ready":
		return fail(ExitDegraded, "%s is installed, but it is %s: %s", name, found.State, strings.ReplaceAll(printable(found.Reason), "\n", "; "))
	}
	return nil
}

// live makes the daemon take a change to a capsule that should run afterwards, and says so.
func (c *capsules) live(ctx context.Context, name, version string) error {
	var st *abi.DaemonStatus
	if err := c.hooks.attend(ctx, c.home, func(ctx context.Context) (err error) {
		st, err = reloadStatus(ctx, c.home)
		return err
	}); err != nil {
		return err
	}
	if st == nil {
		c.sys.notef("%s %s is installed; no daemon is running, the next one loads it", name, version)
		return nil
	}
	if err := notRunning(st, name); err != nil {
		return err
	}
	c.sys.notef("%s %s is ready", name, version)
	c.tellRefused(st)
	return nil
}
