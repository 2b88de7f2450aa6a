package capsule

import (
	"context"
	"fmt"
	"time"
)

// How a run loop that ends with an error is tried again.
const (
	firstRestart = time.Second // doubled each time
	maxRestart   = time.Minute
	maxRestarts  = 5           // without a healthy run between them
	healthyRun   = time.Minute // a run this long was healthy
)

// runLoop runs inst, and again after a failure, until ctx is done, the loop ends by itself, or
// it failed too often. A new instance is made before the pause: its subscriptions
// collect what comes in meanwhile.
func (c *Capsule) runLoop(ctx context.Context, inst Instance) {
	failures := 0
	for {
		began := c.opts.Now()
		c.mailbox.pool.live.Add(1)
		_, err := guarded(func() ([]byte, error) { return nil, inst.Run(ctx) })
		c.mailbox.pool.discard(inst)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			c.setState(Stopped, "its run loop ended")
			return
		}
		if c.opts.Now().Sub(began) >= healthyRun {
			failures = 0
		}
		for inst = nil; inst == nil; {
			failures++
			c.failed.Add(1)
			c.mailbox.pool.lost.Add(1)
			if failures > maxRestarts {
				c.setState(Failed, fmt.Sprintf("run loop failed %d times: %v", failures, err))
				return
			}
			c.setState(Loading, fmt.Sprintf("run loop restarts after: %v", err))
			if inst, err = c.again(ctx, failures); ctx.Err() != nil {
				return
			}
		}
		c.setState(Ready, "")
	}
}

// again makes a new instance and pauses. An instance whose pause was cut short is closed.
func (c *Capsule) again(ctx context.Context, failures int) (Instance, error) {
	inst, err := instantiate(ctx, c.engine)
	t := time.NewTimer(restartDelay(failures))
	defer t.Stop()
	select {
	case <-t.C:
		return inst, err
	case <-ctx.Done():
		if inst != nil {
			_ = inst.Close(context.WithoutCancel(ctx)) // it never ran
		}
		return nil, context.Cause(ctx)
	}
}

// restartDelay is the pause before restart n, from 1.
func restartDelay(n int) time.Duration {
	d := firstRestart
	for ; n > 1 && d < maxRestart; n-- {
		d *= 2
	}
	return min(d, maxRestart)
}
