package cli

import (
	"context"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/client"
)

// resumeOptions say which conversation to go on with, when it must be one that exists.
type resumeOptions struct {
	last   bool   // --continue
	resume string // --resume
	fork   bool   // --fork
}

func (o *resumeOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVarP(&o.last, "continue", "c", false, "go on with the last used session of this project")
	f.StringVarP(&o.resume, "resume", "r", "", "go on with the `SESSION` of this id, beginning of an id, name or title")
	f.BoolVar(&o.fork, "fork", false, "with --continue or --resume: go on in a copy, and leave the session as it is")
}

// check refuses flags that contradict each other.
func (o *resumeOptions) check(cmd *cobra.Command) error {
	if err := exclusive(cmd, "session", "continue", "resume"); err != nil {
		return err
	}
	if o.fork && !o.last && !cmd.Flags().Changed("resume") {
		return fail(ExitUsage, "--fork goes with --continue or --resume")
	}
	if cmd.Flags().Changed("resume") && o.resume == "" {
		return fail(ExitUsage, "--resume: the session's name is empty")
	}
	return nil
}

// choose returns the id of the session to work in. named, if not empty, is one that may be new.
func (o *resumeOptions) choose(ctx context.Context, conn *client.Conn, named, workspace string) (string, error) {
	var s abi.SessionInfo
	switch {
	case o.last:
		list, _, err := sessions(ctx, conn, abi.SessionListRequest{Workspace: workspace}, 1)
		if err != nil {
			return "", err
		}
		if len(list) == 0 {
			return "", fail(ExitError, "there is no session of this project to go on with: see astrid session list")
		}
		s = list[0]
	case o.resume != "":
		var err error
		if s, err = findSession(ctx, conn, o.resume); err != nil {
			return "", err
		}
	default:
		return sessionNamed(ctx, conn, named)
	}
	if o.fork {
		return forkSession(ctx, conn, s.SessionID, 0, "")
	}
	return s.SessionID, nil
}

// beginsID is what lists and the chat's status line show of an id.
var beginsID = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f-]{0,27})?$`)

// sessionNamed is sessionID, but what looks like the beginning of an id goes on with the one session whose id begins so, if none
// has that name.
func sessionNamed(ctx context.Context, conn *client.Conn, named string) (string, error) {
	id, err := sessionID(named)
	if err != nil || !beginsID.MatchString(named) {
		return id, err
	}
	all, _, err := sessions(ctx, conn, abi.SessionListRequest{Empty: true}, 0)
	if err != nil {
		return "", err
	}
	var begin []string
	for _, s := range all {
		if s.SessionID == id {
			return id, nil
		}
		if strings.HasPrefix(s.SessionID, named) {
			begin = append(begin, s.SessionID)
		}
	}
	switch len(begin) {
	case 0:
		return id, nil
	case 1:
		return begin[0], nil
	}
	return "", fail(ExitUsage, "--session %s: the ids of %d sessions begin so: write more of it, see astrid session list", named, len(begin))
}

// chooseOnce is choose for a command that has no connection yet, and needs none for a new session.
func (o *resumeOptions) chooseOnce(ctx context.Context, sys System, named, workspace string) (string, error) {
	if !o.last && o.resume == "" && !beginsID.MatchString(named) {
		return sessionID(named)
	}
	conn, err := sys.daemon(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	return o.choose(ctx, conn, named, workspace)
}
