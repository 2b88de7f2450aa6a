package cli

import (
	"context"
	"slices"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/client"
)

// lookEvery is how often a run that hears nothing looks whether somebody else is asked about what it does.
const lookEvery = 2 * time.Second

// askedElsewhere tells whether a question about this session is open: another client shows it, a chat screen for
// instance, or the program that writes to standard input thinks about it. Until it is answered there is nothing to hear. What the
// flags have no answer to goes to another client, too, if there is one.
func (t *turn) askedElsewhere(ctx context.Context) bool {
	if t.running == 0 {
		return false // nothing can be asked
	}
	ctx, cancel := context.WithTimeout(ctx, noteTimeout)
	defer cancel()
	h, err := t.sys.openHome()
	if err != nil {
		return false
	}
	// A connection of its own: a call on the other one would lose what arrives meanwhile.
	conn, err := client.Dial(ctx, h, Version)
	if err != nil {
		return false
	}
	defer conn.Close()
	list, err := call[[]abi.ApprovalInfo](ctx, conn, abi.MethodListApprovals, nil)
	if err != nil {
		return false
	}
	open := false
	for _, a := range list {
		if a.Session != t.session || a.Queued {
			continue
		}
		open = true
		if !t.rules.ask && !slices.Contains(t.told, a.ID) {
			t.told = append(t.told, a.ID)
			t.sys.notef("another window is asked: %s, %s (%s)\n  astrid approvals approve %s", printable(a.Action), printable(a.Resource), printable(a.Reason), printable(a.ID))
		}
	}
	return open
}
