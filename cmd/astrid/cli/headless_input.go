package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/client"
)

// inputEvent is one line of --input-format stream-json.
type inputEvent struct {
	Type string `json:"type"` // user, approval, cancel

	Text string `json:"text,omitempty"` // of user: the prompt

	// Of approval: the answer to an event of the same type.
	RequestID string `json:"request_id,omitempty"`
	Decision  string `json:"decision,omitempty"` // approve, approve_session, approve_workspace, approve_always or deny
	Reason    string `json:"reason,omitempty"`   // of deny: told to the agent

	err error // instead: the line cannot be used
}

// decisions are what an approval event may say.
var decisions = []string{abi.DecisionApprove, abi.DecisionApproveSession, abi.DecisionApproveWorkspace, abi.DecisionApproveAlways, abi.DecisionDeny}

// readEvents yields the events of a stream; blank lines are passed over. A line that cannot be
// used is the last.
func readEvents(ctx context.Context, r io.Reader) <-chan inputEvent {
	events := make(chan inputEvent)
	go func() {
		defer close(events)
		in := bufio.NewScanner(r)
		in.Buffer(nil, MaxPrompt*2) // text may be twice as long when it is escaped
		for n := 1; in.Scan(); n++ {
			line := bytes.TrimSpace(in.Bytes())
			if len(line) == 0 {
				continue
			}
			e, err := parseEvent(line)
			if err != nil {
				e.err = fail(ExitUsage, "standard input, line %d: %w", n, err)
			}
			select {
			case events <- e:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
		if err := in.Err(); err != nil {
			if errors.Is(err, bufio.ErrTooLong) {
				err = fail(ExitError, "standard input: a line is longer than %d MiB", MaxPrompt*2>>20)
			}
			select {
			case events <- inputEvent{err: err}:
			case <-ctx.Done():
			}
		}
	}()
	return events
}

func parseEvent(line []byte) (e inputEvent, err error) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		return e, fmt.Errorf("not an event: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return e, errors.New("there is something after the event")
	}
	switch e.Type {
	case "user":
		e.Text, err = checkPrompt(e.Text)
		return e, err
	case "approval":
		if e.RequestID == "" || !slices.Contains(decisions, e.Decision) {
			return e, fmt.Errorf("an approval needs a request_id and a decision: one of %q", decisions)
		}
	case "cancel":
	default:
		return e, fmt.Errorf("type %q is none of user, approval, cancel", e.Type)
	}
	return e, nil
}

// maxWaiting is how many prompts of standard input may wait for the running turn.
const maxWaiting = 1000

// converse answers the prompts of standard input in the order in which they come. A prompt
// that comes while another is answered waits for it. A turn that fails does not end the
// conversation; the exit code is that of the last turn.
func (r *headlessRun) converse(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	r.in = readEvents(ctx, r.o.sys.Stdin)
	var last error
	for r.broken == nil {
		if len(r.waiting) == 0 {
			select {
			case <-ctx.Done():
				return &exitError{code: ExitInterrupted}
			case e, ok := <-r.in:
				if !ok {
					return last
				}
				if err := r.hear(ctx, nil, e); err != nil {
					return err
				}
			}
			continue
		}
		if last != nil { // the one before, which is not the last
			r.o.sys.notef("%s", printable(last.Error()))
		}
		text := r.waiting[0]
		r.waiting = r.waiting[1:]
		if last = r.prompt(ctx, text); errors.Is(last, client.ErrClosed) || ctx.Err() != nil {
			return last
		}
	}
	return r.broken
}

// hear takes one event. t is the running turn, nil when there is none.
func (r *headlessRun) hear(ctx context.Context, t *turn, e inputEvent) error {
	switch {
	case e.err != nil:
		r.broken = e.err // what runs is finished first
	case e.Type == "user" && len(r.waiting) == maxWaiting:
		r.broken = fail(ExitUsage, "standard input: more than %d prompts wait", maxWaiting)
	case e.Type == "user":
		r.waiting = append(r.waiting, e.Text)
	case t == nil:
		r.o.sys.notef("standard input: no turn is running, %s says nothing", e.Type)
	case e.Type == "cancel":
		t.cancel(r.conn)
	default:
		return t.decide(ctx, r.conn, e.RequestID, e.Decision, e.Reason)
	}
	return nil
}
