package kernel

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/ipc"
)

// watchdogInterval is the pace of astrid.v1.watchdog.tick, by which capsules notice time.
const watchdogInterval = 5 * time.Second

// publish sends a message of the kernel's own.
func (k *Kernel) publish(ctx context.Context, topic string, p ipc.Payload) error {
	return k.dispatcher.Publish(ctx, &ipc.Message{Topic: topic, Payload: p, SourceID: kernelSourceID, Source: "kernel"})
}

// watchdog ticks until ctx is done.
func (k *Kernel) watchdog(ctx context.Context) {
	t := time.NewTicker(watchdogInterval)
	defer t.Stop()
	empty, err := ipc.Custom(struct{}{})
	if err != nil {
		slog.Error("Watchdog cannot run", "error", err)
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			if err := k.publish(ctx, abi.TopicWatchdogTick, empty); err != nil {
				slog.Warn("Watchdog tick was not delivered", "error", err)
			}
		}
	}
}

// leaveWhenIdle ends an ephemeral daemon that has had no client for the idle timeout.
// It sleeps until a client leaves: an idle daemon costs nothing.
func (k *Kernel) leaveWhenIdle(ctx context.Context) {
	timer := time.NewTimer(k.opts.IdleTimeout)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.server.left:
			timer.Reset(k.opts.IdleTimeout)
		case <-timer.C:
			if k.server.retire() {
				k.requestShutdown("idle_timeout")
				return
			}
		}
	}
}

// onFailure answers for a capsule that failed to handle a message, so that nobody waits
// for an answer that cannot come.
func (k *Kernel) onFailure(ctx context.Context, c *capsule.Capsule, in *capsule.Invocation, err error) {
	id, m := c.ID(), in.Message
	if m == nil {
		slog.Warn("Capsule failed", "capsule", id, "action", in.Action, "error", err)
		return
	}
	slog.Warn("Capsule failed", "capsule", id, "topic", m.Topic, "error", err)
	if errors.Is(err, capsule.ErrInstanceDead) {
		k.announceDeath(ctx, c, err)
	}
	answer, topic, ok := failureAnswer(id, m, err)
	if !ok {
		return
	}
	p, perr := ipc.Tagged(answer)
	if perr == nil {
		perr = k.dispatcher.Publish(ctx, &ipc.Message{
			Topic: topic, Payload: p, SourceID: kernelSourceID, Source: "kernel", Principal: m.Principal, Session: m.Session,
		})
	}
	if perr != nil {
		slog.Error("A failure could not be reported", "capsule", id, "topic", topic, "error", perr)
	}
}

// announceDeath tells clients that what a capsule kept in memory is lost, with the topics
// whose work that was: whoever waits for the end of such work need not wait any longer.
func (k *Kernel) announceDeath(ctx context.Context, c *capsule.Capsule, cause error) {
	if k.ctx.Err() != nil {
		return // everybody is about to hear that the daemon ends
	}
	lost := abi.HealthFailed{CapsuleID: c.ID(), Reason: firstLine(cause.Error()), Topics: []string{}}
	m := c.Manifest()
	if main := m.Main(); main != nil && main.Instances == 1 { // else the others have their own
		for _, ic := range m.Interceptors {
			if ic.Priority >= capsule.GuardPriority {
				lost.Topics = append(lost.Topics, ic.Event)
			}
		}
	}
	p, err := ipc.Custom(lost)
	if err == nil {
		err = k.publish(ctx, abi.TopicHealthFailed, p)
	}
	if err != nil {
		slog.Error("A death could not be announced", "capsule", c.ID(), "error", err)
	}
}
