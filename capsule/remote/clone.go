package remote

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// ErrNoGit says that the program that clones is not there.
var ErrNoGit = errors.New("git is not installed: install it, or use a release")

// Clone copies the source of a repository, without its history, into dir, which must not exist yet. A version
// is the tag v<version>. What the repository holds is not run: no hooks, no filters, no submodules, no links.
func (c *Client) Clone(ctx context.Context, s Source, dir string) error {
	if c.o.Offline {
		return fmt.Errorf("%s: %w (--offline)", s, ErrOffline)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, maxTotal, fmt.Errorf("%w: not complete after %s", ErrSlow, maxTotal))
	defer cancel()
	git, err := exec.LookPath("git")
	if err != nil {
		return ErrNoGit
	}
	args := []string{
		"-c", "protocol.allow=never", "-c", "protocol." + c.base.Scheme + ".allow=always",
		"-c", "http.followRedirects=initial", "-c", "core.hooksPath=/dev/null", "-c", "core.symlinks=false",
		"-c", "filter.lfs.smudge=", "-c", "filter.lfs.required=false",
		"clone", "--quiet", "--depth=1", "--no-recurse-submodules", "--template=",
	}
	if s.Version != "" {
		args = append(args, "--branch", "v"+s.Version)
	}
	repo := s.Repository(c.base)
	cmd := exec.CommandContext(ctx, git, append(args, "--", repo, dir)...)
	cmd.Env = append(os.Environ(), "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=", "SSH_ASKPASS=", "GIT_LFS_SKIP_SMUDGE=1",
		fmt.Sprintf("GIT_HTTP_LOW_SPEED_TIME=%d", max(1, int(c.o.Idle.Seconds()))), "GIT_HTTP_LOW_SPEED_LIMIT=1")
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", repo, context.Cause(ctx))
	}
	if err != nil {
		return fmt.Errorf("git clone %s: %w: %s", repo, err, strings.TrimSpace(strings.ReplaceAll(string(out), "\n", "; ")))
	}
	return nil
}
