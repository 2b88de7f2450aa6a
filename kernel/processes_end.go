package kernel

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/ipc"
)

// errDeserted is why programs end that nobody could look after any more.
var errDeserted = errors.New("it was ended: the last client of its session has left")

// endDeserted ends the programs of a session whose last client has left and not come back. It is called when a client leaves; the
// time is that of an ephemeral daemon, which would end itself.
func (k *Kernel) endDeserted(key sessionKey) {
	if k.presence.attended(key) || k.processes == nil {
		return
	}
	time.AfterFunc(k.opts.IdleTimeout, func() {
		if !k.presence.attended(key) {
			k.processes.end(key, errDeserted)
		}
	})
}

// attended tells whether a client is in a session.
func (p *presence) attended(key sessionKey) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.in[key]
	return a != nil && a.clients > 0
}

// followCancellations ends the programs of tool calls that are cancelled. The agent loop says so; a program would otherwise go on
// to the end of its call.
func (k *Kernel) followCancellations(ctx context.Context) error {
	sub, err := k.bus.Subscribe(abi.TopicToolCancel, ipc.SubscribeOptions{Owner: "kernel"})
	if err != nil {
		return err
	}
	k.tasks.Go(func() {
		defer sub.Close()
		for {
			m, err := sub.Recv(ctx)
			if err != nil {
				return
			}
			var req abi.ToolCancelRequest
			if err := json.Unmarshal(m.Payload.Guest(), &req); err != nil {
				slog.Warn("A cancellation cannot be read", "from", m.Source, "error", err)
				continue
			}
			k.host.CancelCalls(m.Principal, m.Session, req.CallIDs)
		}
	})
	return nil
}
