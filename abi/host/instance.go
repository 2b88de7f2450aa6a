package host

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/ipc"
)

// Instance holds what one guest instance has open. Guest code of an instance runs in
// one goroutine at a time; Close may come from another.
type Instance struct {
	host    *Host
	capsule *Capsule
	limiter *ipc.RateLimiter

	args   [3][]byte // parameters of the running host function
	short  [32]byte  // room for a short result
	parked []byte    // result the guest has not taken yet, or its input
	extism *extism   // nil in the native convention
	calls  uint64    // of host functions

	resumed mark          // since when guest code runs
	used    time.Duration // by guest code

	mu       sync.Mutex
	closed   bool
	nextSub  uint64
	room     *ipc.Room // of the messages that wait in all subscriptions
	subs     map[uint64]*subscription
	handles  []abi.InterceptorHandle
	nextHTTP uint64
	streams  map[uint64]*httpStream

	nextNet   uint64
	listeners map[uint64]*netListener
	nextConn  uint64
	conns     map[uint64]*netConn
	uplinks   []*uplink
}

type subscription struct {
	*ipc.Subscription
	principal string // for whom it was opened: calls for others do not find it
	owned     bool   // by the runtime: the guest cannot unsubscribe it
}

// NewInstance prepares the host side of a guest instance. With runLoop, the capsule's
// interceptors are subscribed before the guest starts. Close releases everything.
func (h *Host) NewInstance(c *Capsule, runLoop bool) (*Instance, error) {
	inst := &Instance{
		host:    h,
		capsule: c,
		limiter: ipc.NewRateLimiter(ipc.RateLimits{Now: h.svc.Now}),
		subs:    make(map[uint64]*subscription),
		room:    ipc.NewRoom(abi.SubscriptionBytes),
		streams: make(map[uint64]*httpStream),

		listeners: make(map[uint64]*netListener),
		conns:     make(map[uint64]*netConn),
	}
	c.processes.enter()
	if !runLoop {
		return inst, nil
	}
	if len(c.Interceptors) > abi.MaxAutoSubscribe {
		inst.Close()
		return nil, fmt.Errorf("capsule %s: %d interceptors, a run loop can have %d", c.ID, len(c.Interceptors), abi.MaxAutoSubscribe)
	}
	for _, ic := range c.Interceptors {
		id, err := inst.subscribe(ic.Topic, c.Principal, true)
		if err != nil {
			inst.Close()
			return nil, fmt.Errorf("capsule %s: interceptor %s: %w", c.ID, ic.Topic, err)
		}
		inst.handles = append(inst.handles, abi.InterceptorHandle{HandleID: id, Action: ic.Action, Topic: ic.Topic})
	}
	return inst, nil
}

// Park makes b the bytes that the guest's next take returns.
func (i *Instance) Park(b []byte) { i.parked = b }

// Capsule returns the capsule the instance belongs to.
func (i *Instance) Capsule() *Capsule { return i.capsule }

// Close ends subscriptions, streams and sockets; calls blocked in them return. The capsule's last instance takes its
// background programs with it.
func (i *Instance) Close() {
	i.mu.Lock()
	first := !i.closed
	i.closed = true
	subs, streams := i.subs, i.streams
	i.subs, i.streams = nil, nil
	listeners, conns := i.listeners, i.conns
	i.listeners, i.conns, i.uplinks = nil, nil, nil
	i.mu.Unlock()
	if first {
		i.capsule.processes.leave()
	}
	for _, l := range listeners {
		l.close()
	}
	for _, c := range conns {
		_ = c.conn.Close() // whatever it says, it is closed
	}
	for _, s := range subs {
		s.Close()
	}
	for _, s := range streams {
		s.end(context.Background(), nil)
	}
}

// Calls is how many host functions guest code of this instance has called.
func (i *Instance) Calls() uint64 { return i.calls }

// Output logs a line that the guest printed in the call of ctx.
func (i *Instance) Output(ctx context.Context, line string) {
	principal := i.capsule.Principal
	if f := frameOf(ctx); f != nil {
		principal = f.call.Principal
	}
	i.host.svc.Log.CapsuleLog(principal, i.capsule.ID, slog.LevelWarn, strings.ToValidUTF8(line, "\uFFFD"))
}
