package capsule

import (
	"context"
	"errors"
	"fmt"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/ipc"
)

// guard runs the guards of msg in order and rewrites its payload as they say. stop means
// that the message is not to be delivered; without an error it was answered.
func (d *Dispatcher) guard(ctx context.Context, msg *ipc.Message, guards []binding, waiting []string) (stop bool, err error) {
	for _, b := range guards {
		if b.c.ID() == msg.Source {
			continue // it would wait for itself, and it knows what it says
		}
		res, err := d.ask(ctx, msg, b, waiting)
		if err != nil {
			return true, d.guardFailed(msg, b, err)
		}
		switch res.Verdict {
		case Deny:
			return true, coded(abi.CodeDenied, &DeniedError{Topic: msg.Topic, Capsule: b.c.ID(), Reason: res.Reason})
		case Final:
			return true, d.answer(ctx, msg, b, res.Payload, waiting)
		}
		if res.Payload == nil {
			continue
		}
		p, err := msg.Payload.Rewrite(res.Payload)
		if err != nil {
			b.c.failed.Add(1)
			return true, d.guardFailed(msg, b, err)
		}
		msg.Payload = p
	}
	return false, nil
}

// ask calls one guard. It gets a copy of the message, which has no sequence yet.
func (d *Dispatcher) ask(ctx context.Context, msg *ipc.Message, b binding, waiting []string) (Result, error) {
	limit := d.opts.GuardTimeout
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%w: it took longer than %s", context.DeadlineExceeded, limit))
	defer cancel()
	seen := *msg
	seen.Timestamp = d.opts.Now().UTC()
	return d.callAlone(ctx, b.c, &Invocation{
		Action:    b.ic.Action,
		Payload:   seen.Payload.Guest(),
		Message:   &seen,
		Principal: seen.Principal,
		Session:   seen.Session,
		Chain:     waiting,
	})
}

// answer publishes a guard's answer in the handler's place. An empty one is null.
func (d *Dispatcher) answer(ctx context.Context, msg *ipc.Message, b binding, raw []byte, waiting []string) error {
	var p ipc.Payload
	if len(raw) > 0 {
		var err error
		if p, err = ipc.ClassifyPayload(raw); err != nil {
			b.c.failed.Add(1)
			return d.guardFailed(msg, b, err)
		}
	}
	return d.Publish(ctx, &ipc.Message{
		Topic:     msg.Topic + ResultSuffix,
		Payload:   p,
		SourceID:  b.c.SourceID(),
		Source:    b.c.ID(),
		Principal: msg.Principal,
		Session:   msg.Session,
		Chain:     waiting, // the publisher of msg still waits
		Hops:      msg.Hops,
	})
}

// guardFailed closes the way for a message whose guard could not decide. A cycle is the
// publisher's fault and told as such.
func (d *Dispatcher) guardFailed(msg *ipc.Message, b binding, err error) error {
	var cycle *CycleError
	if !errors.As(err, &cycle) {
		d.opts.Log.Warn("Guard failed, the message was stopped", "capsule", b.c.ID(), "topic", msg.Topic, "error", err)
	}
	return coded(abi.CodeDenied, &GuardError{Topic: msg.Topic, Capsule: b.c.ID(), Err: err})
}
