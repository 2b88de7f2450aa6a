package capsule

import (
	"context"
	"errors"

	"github.com/unicity-astrid/astrid-go/ipc"
)

// delivery is one message on its way through its handlers. One goroutine has it at a
// time: the publisher's, then those of workers.
type delivery struct {
	d     *Dispatcher
	msg   *ipc.Message
	steps []binding // handlers that are left
}

// report is told what went wrong with one handler.
type report func(c *Capsule, in *Invocation, err error)

// advance queues the message for the next handler that takes it.
func (v *delivery) advance(ctx context.Context, failed report) {
	for len(v.steps) > 0 {
		// The capsule is looked up each time: it may have been replaced since the last step.
		b, ok := v.d.registry.current(v.steps[0])
		v.steps[0] = b
		err := error(nil)
		if ok {
			err = b.c.mailbox.enqueue(ctx, v.invocation(b), v.mayWait(b.c), &job{run: func(base context.Context, call callFunc) {
				v.work(base, b.c, call)
			}})
		} else {
			err = b.c.mailbox.stoppedError()
		}
		if err == nil {
			return
		}
		if next := v.d.registry.Get(b.c.ID()); ok && errors.Is(err, ErrStopped) && next != nil && next != b.c {
			continue // it was replaced just now
		}
		v.steps = v.steps[1:]
		failed(b.c, v.invocation(b), err)
	}
}

// mayWait is false for a capsule that publishes to itself: its only worker is busy
// publishing, so room cannot come.
func (v *delivery) mayWait(c *Capsule) bool {
	return v.msg.Source != c.ID() || c.mailbox.opts.Workers > 1
}

func (v *delivery) invocation(b binding) *Invocation {
	return &Invocation{
		Action:    b.ic.Action,
		Payload:   v.msg.Payload.Guest(),
		Message:   v.msg,
		Principal: v.msg.Principal,
		Session:   v.msg.Session,
	}
}

// work runs the next step in a worker of c, and the ones after it as long as they are c's too:
// queueing behind itself could wait for ever. Then it hands on, before the worker takes its next
// message, which keeps the order of messages along the chain.
func (v *delivery) work(ctx context.Context, c *Capsule, call callFunc) {
	for len(v.steps) > 0 && v.steps[0].c.ID() == c.ID() {
		b := v.steps[0]
		v.steps = v.steps[1:]
		in := v.invocation(b)
		res, err := c.settle(call(ctx, in))
		if err != nil {
			v.fail(ctx, c, in, err)
			continue
		}
		switch res.Verdict {
		case Deny:
			v.d.opts.Log.Warn("Handler ended the chain", "capsule", c.ID(), "topic", v.msg.Topic, "reason", res.Reason)
			return
		case Final:
			return
		}
		v.rewrite(c, res.Payload)
	}
	v.advance(ctx, func(c *Capsule, in *Invocation, err error) { v.fail(ctx, c, in, err) })
}

// rewrite changes the payload for the handlers that follow. The handler has done its work, so
// output that is not JSON is counted but not answered for.
func (v *delivery) rewrite(c *Capsule, raw []byte) {
	if raw == nil || len(v.steps) == 0 {
		return
	}
	p, err := v.msg.Payload.Rewrite(raw)
	if err != nil {
		c.failed.Add(1)
		v.d.opts.Log.Warn("Handler's output was dropped", "capsule", c.ID(), "topic", v.msg.Topic, "error", err)
		return
	}
	msg := *v.msg // subscribers hold the other one
	msg.Payload = p
	v.msg = &msg
}

func (v *delivery) fail(ctx context.Context, c *Capsule, in *Invocation, err error) {
	v.d.opts.Log.Warn("Handler failed", "capsule", c.ID(), "topic", v.msg.Topic, "action", in.Action, "error", err)
	// Stopping the capsule may be what failed the call; the answer must get out all the same.
	v.d.opts.OnFailure(context.WithoutCancel(ctx), c, in, err)
}
