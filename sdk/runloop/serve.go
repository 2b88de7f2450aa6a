package runloop

import (
	"errors"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk"
	"github.com/unicity-astrid/astrid-go/sdk/internal/entry"
	"github.com/unicity-astrid/astrid-go/sdk/ipc"
	"github.com/unicity-astrid/astrid-go/sdk/log"
	"github.com/unicity-astrid/astrid-go/sdk/runtime"
)

// Bounds of a wait on one of several subscriptions: short while messages come, so that
// one subscription does not delay the others, longer when all are quiet.
const (
	shortWait = 5 * time.Millisecond
	longWait  = 250 * time.Millisecond
)

// Serve signals that the loop is up and calls the capsule's handlers for the messages of
// its interceptors until the capsule is unloaded, which is not an error. It can be given
// to [Run] as it is. The context of a handler knows principal, session and source of its
// message. Verdicts have no effect: the message is on the bus already.
func Serve(*sdk.Context) error {
	if err := runtime.Ready(); err != nil {
		return err
	}
	handles, err := runtime.InterceptorHandles()
	if err != nil {
		return err
	}
	if len(handles) == 0 {
		return errors.New("runloop.Serve: the manifest has no interceptors to serve")
	}
	wait := shortWait
	for {
		busy, err := round(handles, wait)
		switch {
		case errors.Is(err, abi.ErrClosed) || errors.Is(err, abi.ErrCanceled) || errors.Is(err, abi.ErrHandle):
			return nil
		case err != nil:
			return err
		case busy:
			wait = shortWait
		default:
			wait = min(2*wait, longWait)
		}
	}
}

// round handles what waits on each subscription. With one of them only it can wait for
// as long as the host lets it; otherwise each is given a share of wait.
func round(handles []abi.InterceptorHandle, wait time.Duration) (busy bool, err error) {
	if len(handles) == 1 {
		wait = abi.MaxRecv
	}
	for _, h := range handles {
		env, err := ipc.Handle(h.HandleID).Recv(wait / time.Duration(len(handles)))
		if err != nil {
			return busy, err
		}
		if env.Lagged > 0 {
			log.Warn("Messages were missed: the run loop is too slow", "action", h.Action, "missed", env.Lagged)
		}
		for _, m := range env.Messages {
			busy = true
			dispatch(h.Action, m)
		}
	}
	return busy, nil
}

func dispatch(action string, m abi.Message) {
	payload, err := ipc.Unwrap(m.Payload)
	if err != nil {
		log.Error("Message cannot be read", "topic", m.Topic, "error", err)
		return
	}
	entry.Hook(action, payload, &abi.Caller{
		Principal: m.Principal, SourceID: m.SourceID, SessionID: m.Session,
		Timestamp: m.Timestamp.Format(time.RFC3339Nano), UserID: m.Principal,
	})
}
