package cli

import (
	"context"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/client"
)

// noteTimeout bounds what a turn's end waits for the number of changes.
const noteTimeout = 5 * time.Second

// changedFiles asks what a session changed and did not commit. The answer to the prompt does
// not depend on it: what cannot be found out is nil.
func changedFiles(ctx context.Context, conn *client.Conn, session string) *abi.OverlayInfo {
	ctx, cancel := context.WithTimeout(ctx, noteTimeout)
	defer cancel()
	list, err := call[[]abi.OverlayInfo](ctx, conn, abi.MethodListOverlays, abi.OverlayQuery{Session: session})
	if err != nil || len(list) != 1 || list[0].Problem != "" {
		return nil
	}
	return &list[0]
}

// noteChanges tells where the files are that the agent wrote: not in the workspace yet.
func (t *turn) noteChanges(dir string) {
	if t.changed == nil || t.changed.Changes == 0 {
		return
	}
	flag := ""
	if dir != t.changed.Workspace {
		flag = " --session " + quoted(t.session) // not found from here by itself
	}
	t.sys.notef("%s changed in the session's copy: astrid diff%s, astrid commit%s", count(t.changed.Changes, "file"), flag, flag)
}
