package kernel

import (
	"fmt"
	"testing"

	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/audit"
	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/ipc"
)

// What a guard stops is in the log, with who said it, to whom and why; what is let through is not, nor is another failure.
func TestStoppedMessagesAreRecorded(t *testing.T) {
	k := boot(t)
	m := &ipc.Message{Topic: "tool.v1.execute.x", Source: "router", Principal: "default", Session: "s"}
	for _, err := range []error{
		nil, &ipc.QueueFullError{Topic: m.Topic},
		fmt.Errorf("publish: %w", &capsule.DeniedError{Topic: m.Topic, Capsule: "warden", Reason: "not at\x1b[2J night"}),
		&capsule.GuardError{Topic: m.Topic, Capsule: "clumsy", Err: &capsule.DeniedError{Capsule: "warden"}},
	} {
		k.noteStopped(t.Context(), m, err)
	}
	check(t, k.gate.log.Flush(t.Context()))
	var got []string
	for e, err := range k.gate.log.Query(t.Context(), audit.Filter{Principal: "default", Kinds: []audit.Kind{audit.KindDecision}}) {
		check(t, err)
		got = append(got, e.Rule)
		if e.Verdict != audit.Deny || e.Layer != approval.LayerGuard || e.Capsule != "router" || e.Session != "s" || e.Resource != "ipc:publish:tool.v1.execute.x" {
			t.Errorf("%+v", e)
		}
	}
	if len(got) != 2 || got[0] != "guard warden" || got[1] != "guard clumsy" {
		t.Errorf("recorded %q", got)
	}
}
