package capsule

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/ipc"
)

// Trigger asks every capsule but the caller that has an interceptor on hook, all at once,
// and returns their JSON answers ordered by priority, capsule id and manifest order. It
// ends when all have answered, or ctx is done: then its cause is returned.
//
// A capsule that has nothing to say, denies or fails adds no answer; the last two are
// logged and counted. Run loops are not asked. A hook that matches a capsule which waits
// for the caller, directly or not, is refused with a [*CycleError] before anybody is asked.
func (d *Dispatcher) Trigger(ctx context.Context, caller Caller, hook string, payload []byte) ([]json.RawMessage, error) {
	if err := ipc.ValidTopic(hook); err != nil {
		return nil, coded(abi.CodeInvalid, err)
	}
	if caller.Hops >= MaxHops {
		return nil, coded(abi.CodeLimit, &HopsError{Topic: hook})
	}
	body, err := ipc.ClassifyPayload(payload)
	if err != nil {
		return nil, coded(abi.CodeInvalid, fmt.Errorf("hook %s: %w", hook, err))
	}
	asked := slices.DeleteFunc(d.registry.match(hook), func(b binding) bool { return b.c.ID() == caller.Capsule })
	waiting := caller.waiting()
	ids := make([]string, len(asked))
	for i, b := range asked {
		ids[i] = b.c.ID()
	}
	done, err := d.await(hook, waiting, ids...)
	if err != nil {
		return nil, err
	}
	defer done()
	// This message tells the handlers who asks. It is never published.
	msg := &ipc.Message{
		Topic: hook, Payload: body, SourceID: caller.SourceID, Timestamp: d.opts.Now().UTC(),
		Principal: caller.Principal, Session: caller.Session, Source: caller.Capsule, Hops: caller.Hops + 1,
	}
	answers := make([]json.RawMessage, len(asked))
	var all sync.WaitGroup
	for i, b := range asked {
		all.Go(func() {
			answers[i] = d.askHook(ctx, b, &Invocation{
				Action: b.ic.Action, Payload: payload, Message: msg,
				Principal: caller.Principal, Session: caller.Session, Chain: waiting,
			})
		})
	}
	all.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return slices.DeleteFunc(answers, func(a json.RawMessage) bool { return a == nil }), nil
}

// askHook returns one capsule's answer, or nil.
func (d *Dispatcher) askHook(ctx context.Context, b binding, in *Invocation) json.RawMessage {
	log := d.opts.Log.With("capsule", b.c.ID(), "hook", in.Message.Topic)
	res, err := d.call(ctx, b.c, in)
	switch {
	case err != nil:
		log.Warn("Capsule gave no answer to a hook", "error", err)
	case res.Verdict == Deny:
		log.Warn("Capsule refused to answer a hook", "reason", res.Reason)
	case len(res.Payload) == 0:
	case !json.Valid(res.Payload):
		b.c.failed.Add(1)
		log.Warn("Capsule's answer to a hook is not JSON")
	default:
		return res.Payload
	}
	return nil
}
