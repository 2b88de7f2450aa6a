package trial

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/host"
	"github.com/unicity-astrid/astrid-go/ipc"
)

// Exchange is an HTTP request that the capsule makes, and the answer to it. The manifest must permit the request as it
// would in a daemon.
type Exchange struct {
	Method  string            `toml:"method"` // default GET
	URL     string            `toml:"url"`
	Body    *string           `toml:"body"`   // that the request must have; nil is any
	Status  int               `toml:"status"` // default 200
	Headers map[string]string `toml:"headers"`
	Reply   string            `toml:"reply"`
}

// Run is a program that the capsule runs, and what it does.
type Run struct {
	Argv   []string `toml:"argv"`
	Stdin  string   `toml:"stdin"` // that it must be given
	Exit   int      `toml:"exit"`
	Stdout string   `toml:"stdout"`
	Stderr string   `toml:"stderr"`
}

// Reply is a message that another capsule would publish when this one publishes to a topic. {{ name }} in it is the
// field of that name in the message that it answers.
type Reply struct {
	To      string `toml:"to"`
	Topic   string `toml:"topic"`
	Payload string `toml:"payload"` // JSON
}

// Recorded are the answers of the world around the capsule. Each exchange, run and reply is given once, the first that
// fits; what the capsule asks for besides fails.
type Recorded struct {
	HTTP    []Exchange          `toml:"http"`
	Runs    []Run               `toml:"run"`
	Replies []Reply             `toml:"reply"`
	Hooks   map[string][]string `toml:"hooks"` // JSON answers of other capsules to a hook, each time
	Users   map[string]string   `toml:"users"` // names of users by "platform/account"
}

// check says what could never be given.
func (r *Recorded) check() error {
	for _, e := range r.HTTP {
		if e.URL == "" {
			return errors.New("[[http]] needs a url")
		}
	}
	for _, p := range r.Runs {
		if len(p.Argv) == 0 {
			return errors.New("[[run]] needs argv, a program with its arguments")
		}
	}
	for _, m := range r.Replies {
		if m.To == "" || m.Topic == "" {
			return errors.New("[[reply]] needs to and topic")
		}
	}
	for hook, answers := range r.Hooks {
		for _, a := range answers {
			if !json.Valid([]byte(a)) {
				return fmt.Errorf("[hooks] %s: %q is not JSON", hook, a)
			}
		}
	}
	return nil
}

// clone is a copy of which answers can be taken.
func (r Recorded) clone() Recorded {
	r.HTTP, r.Runs, r.Replies = slices.Clone(r.HTTP), slices.Clone(r.Runs), slices.Clone(r.Replies)
	return r
}

// left says what was never asked for.
func (r *Recorded) left() error {
	var errs []error
	for _, e := range r.HTTP {
		errs = append(errs, fmt.Errorf("it never asked for %s %s", e.method(), e.URL))
	}
	for _, p := range r.Runs {
		errs = append(errs, fmt.Errorf("it never ran %q", p.Argv))
	}
	for _, m := range r.Replies {
		errs = append(errs, fmt.Errorf("it never published %s", m.To))
	}
	return errors.Join(errs...)
}

func (e Exchange) method() string {
	if e.Method == "" {
		return http.MethodGet
	}
	return e.Method
}

// RoundTrip answers a request of the capsule that the manifest permits.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	i := slices.IndexFunc(w.recorded.HTTP, func(e Exchange) bool {
		return e.method() == r.Method && e.URL == r.URL.String() && (e.Body == nil || *e.Body == string(body))
	})
	if i < 0 {
		w.say("http %s %s %s: there is no answer", r.Method, r.URL, body)
		return nil, abi.Errorf(abi.CodeDenied, "a trial has no network, and the case no answer to %s %s", r.Method, r.URL)
	}
	e := w.recorded.HTTP[i]
	w.recorded.HTTP = slices.Delete(w.recorded.HTTP, i, i+1)
	if e.Status == 0 {
		e.Status = http.StatusOK
	}
	w.say("http %s %s %s: %d", r.Method, r.URL, body, e.Status)
	h := http.Header{}
	for k, v := range e.Headers {
		h.Set(k, v)
	}
	return &http.Response{
		Status: http.StatusText(e.Status), StatusCode: e.Status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: io.NopCloser(strings.NewReader(e.Reply)), ContentLength: int64(len(e.Reply)), Request: r,
	}, nil
}

// Find finds the programs of the case.
func (w *world) Find(_ context.Context, _, _, name string) (host.Program, error) {
	for _, p := range w.recorded.Runs {
		if p.Argv[0] == name {
			return host.Program{Path: "/trial/bin/" + name, Real: "/trial/bin/" + name}, nil
		}
	}
	return host.Program{}, fmt.Errorf("the case has no program %s: %w", name, fs.ErrNotExist)
}

// Start gives what a program of the case does. It has ended at once.
func (w *world) Start(_ context.Context, c host.ProcessCommand) (host.Process, error) {
	i := slices.IndexFunc(w.recorded.Runs, func(p Run) bool { return slices.Equal(p.Argv, c.Argv) && p.Stdin == string(c.Stdin) })
	if i < 0 {
		w.say("run %q: there is no answer", c.Argv)
		return nil, abi.Errorf(abi.CodeUnsupported, "the case does not say what %q does with that input", c.Argv)
	}
	p := w.recorded.Runs[i]
	w.recorded.Runs = slices.Delete(w.recorded.Runs, i, i+1)
	w.say("run %q: exit %d", c.Argv, p.Exit)
	return &ended{run: p}, nil
}

// ended is a program that has ended.
type ended struct {
	run  Run
	read bool
}

func (*ended) Done() <-chan struct{} {
	done := make(chan struct{})
	close(done)
	return done
}

func (e *ended) Exit() (int, error) { return e.run.Exit, nil }
func (*ended) Kill()                {}

// Write: who reads its input would not have ended.
func (*ended) Write([]byte) error       { return os.ErrClosed }
func (e *ended) Wrote() <-chan struct{} { return e.Done() }

func (e *ended) Output() (stdout, stderr host.Captured) {
	if e.read {
		return
	}
	e.read = true
	return host.Captured{Bytes: []byte(e.run.Stdout)}, host.Captured{Bytes: []byte(e.run.Stderr)}
}

// reply publishes what another capsule would say to a message.
func (w *world) reply(ctx context.Context, m *ipc.Message) error {
	i := slices.IndexFunc(w.recorded.Replies, func(r Reply) bool { return r.To == m.Topic })
	if i < 0 {
		return nil
	}
	r := w.recorded.Replies[i]
	w.recorded.Replies = slices.Delete(w.recorded.Replies, i, i+1)
	var fields map[string]any
	_ = json.Unmarshal(m.Payload.Guest(), &fields) // a payload without fields has none to fill in
	for name, value := range fields {
		if text, ok := value.(string); ok {
			quoted, err := json.Marshal(text)
			if err != nil {
				return err
			}
			r.Topic = strings.ReplaceAll(r.Topic, "{{ "+name+" }}", text)
			r.Payload = strings.ReplaceAll(r.Payload, "{{ "+name+" }}", string(quoted[1:len(quoted)-1]))
		}
	}
	payload, err := ipc.ClassifyPayload([]byte(r.Payload))
	if err != nil {
		return fmt.Errorf("[[reply]] to %s: %w", r.To, err)
	}
	w.say("reply %s %s", r.Topic, payload.Tagged())
	return w.bus.Publish(ctx, &ipc.Message{Topic: r.Topic, Payload: payload, SourceID: "00000000-0000-4000-8000-000000000002", Source: "trial", Principal: m.Principal, Session: m.Session})
}

// Trigger gives the recorded answers to a hook.
func (w *world) Trigger(_ context.Context, _ *host.Instance, _ *host.Call, hook string, payload []byte) ([]json.RawMessage, error) {
	answers := w.recorded.Hooks[hook]
	if len(answers) == 0 {
		w.say("hook %s %s: nobody answers", hook, payload)
		return nil, nil
	}
	w.say("hook %s %s: %s", hook, payload, strings.Join(answers, ", "))
	out := make([]json.RawMessage, len(answers))
	for i, a := range answers {
		out[i] = json.RawMessage(a)
	}
	return out, nil
}

// Resolve finds the users of the case.
func (w *world) Resolve(_ context.Context, platform, account string) (host.User, error) {
	name, ok := w.recorded.Users[platform+"/"+account]
	if !ok {
		return host.User{}, abi.Errorf(abi.CodeNotFound, "the case has no user %s/%s", platform, account)
	}
	return host.User{ID: "00000000-0000-4000-8000-000000000003", DisplayName: name, Principal: Principal}, nil
}
