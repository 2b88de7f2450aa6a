package host

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/ipc"
)

func (h *Host) planHook(_ context.Context, f *frame, args [][]byte) (plan, error) {
	var req abi.HookRequest
	if err := decode(args[0], &req, "trigger"); err != nil {
		return plan{}, err
	}
	if err := ipc.ValidTopic(req.Hook); err != nil {
		return plan{}, abi.Errorf(abi.CodeInvalid, "invalid trigger request: hook: %v", err)
	}
	if req.Payload == nil {
		return plan{}, abi.Errorf(abi.CodeInvalid, "invalid trigger request: payload is missing")
	}
	return plan{
		action: approval.Action{Kind: approval.Hook, Resource: "hook:" + req.Hook, Size: int64(len(req.Payload))},
		bounds: f.inst.capsule.Bounds.hook(req.Hook),
		do: func(ctx context.Context, _ approval.Grant) ([]byte, error) {
			answers, err := h.svc.Publisher.Trigger(ctx, f.inst, f.call, req.Hook, req.Payload)
			if err != nil {
				return nil, err
			}
			if answers == nil {
				answers = []json.RawMessage{}
			}
			return encode(answers)
		},
	}, nil
}

// hook checks a hook like a message: whoever answers acts for the caller, with what its own manifest lets it do. Two
// kinds of hooks are for every capsule: those with a name of one word, which nothing but hooks has, and questions
// about what others offer.
func (b *Bounds) hook(topic string) permit {
	return func() (string, error) {
		if ipc.Reserved(topic) {
			return "", b.deny("hook '%s'", topic)
		}
		if !strings.Contains(topic, ".") || strings.HasSuffix(topic, ".request.describe") {
			return "hooks", nil
		}
		return b.topic(b.g.IPCPublish, topic, "ipc_publish", "ask hook")
	}
}
