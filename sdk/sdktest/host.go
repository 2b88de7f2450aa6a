package sdktest

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/internal/entry"
	"github.com/unicity-astrid/astrid-go/sdk/internal/link"
)

// Host is a fake host. Its fields may be changed between calls, not during one.
type Host struct {
	// Caller is who sends the messages that [Host.Call] delivers. Files and keys belong to
	// its principal.
	Caller abi.Caller
	// Config holds the capsule's settings.
	Config map[string]string
	// Secrets are the names of stored secrets.
	Secrets map[string]bool
	// Now is the time of the host. Waiting moves it forward.
	Now time.Time
	// HTTP answers requests. What it writes between two flushes is one chunk of a stream.
	HTTP http.Handler
	// Client sends requests over real connections instead, to a server of the test.
	Client *http.Client
	// Process runs a program to its end, or fails to start it with an *abi.Error. Background processes are run by it, too.
	Process func(req abi.ProcessRequest) (abi.ProcessResult, error)
	// Talk answers what is said to an interactive program that runs.
	Talk func(req abi.ProcessRequest, stdin string) (stdout string)
	// Elicit answers a question for a setting; an error cancels it.
	Elicit func(req abi.ElicitRequest) (abi.ElicitAnswer, error)
	// Approve decides an explicit request for approval.
	Approve func(req abi.ApprovalRequest) bool
	// Capabilities maps source ids of other capsules to the names of what they have.
	Capabilities map[string][]string

	t  testing.TB
	mu sync.Mutex // guards what follows: a handler may start goroutines

	handlers  map[abi.Function]func(params []string) ([]byte, error)
	files     map[string]*file
	kv        map[string][]byte
	logs      []LogLine
	published []abi.Message
	onPublish []responder
	onHook    []hookResponder
	subs      map[uint64]*subscription
	handles   []abi.InterceptorHandle
	nextSub   uint64
	seq       uint64
	streams   map[uint64]*stream
	nextHTTP  uint64
	costs     []float64
	reserved  []float64
	processes map[uint64]*process
	nextProc  uint64
	runsOn    bool
	waiting   []*Peer
	conns     map[uint64]*Peer
	nextConn  uint64
	uplinks   []Uplink
	users     map[string]string
	links     map[[2]string]abi.IdentityLinkRecord
	ready     bool
	lifecycle bool
	looping   bool
	idle      int
	nextCall  int
}

// LogLine is one record of the capsule's log.
type LogLine struct{ Level, Message string }

var _ link.Host = (*Host)(nil)

// SourceID is the source id of the capsule under test, and of a fresh host's caller.
const SourceID = "6f1c1c5e-0000-4000-8000-000000000001"

// New installs a fresh host until the test ends. It fails the test when the capsule's
// registrations cannot work. See the package comment for tests that run in parallel.
func New(t testing.TB) *Host {
	t.Helper()
	h := &Host{
		Caller:  abi.Caller{Principal: "default", SourceID: SourceID, SessionID: "session", UserID: "default", ProjectTrusted: true},
		Config:  map[string]string{},
		Secrets: map[string]bool{},
		Now:     time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),

		t:         t,
		handlers:  map[abi.Function]func([]string) ([]byte, error){},
		files:     map[string]*file{},
		kv:        map[string][]byte{},
		subs:      map[uint64]*subscription{},
		streams:   map[uint64]*stream{},
		processes: map[uint64]*process{},
		conns:     map[uint64]*Peer{},
		users:     map[string]string{},
		links:     map[[2]string]abi.IdentityLinkRecord{},
	}
	acquire(t.Name())
	before := link.Install(h)
	t.Cleanup(func() {
		link.Install(before)
		release(t.Name())
	})
	if entry.Check != nil {
		if err := entry.Check(); err != nil {
			t.Fatalf("the capsule's registrations: %v", err)
		}
	}
	return h
}

// installed are the names of the tests whose hosts are installed, each one's ancestors
// before it.
var (
	turn      = sync.NewCond(&sync.Mutex{})
	installed []string
)

// acquire waits until the top host belongs to the test or one of its ancestors.
func acquire(name string) {
	turn.L.Lock()
	defer turn.L.Unlock()
	for len(installed) > 0 && !within(name, installed[len(installed)-1]) {
		turn.Wait()
	}
	installed = append(installed, name)
}

func release(name string) {
	turn.L.Lock()
	defer turn.L.Unlock()
	installed = installed[:len(installed)-1]
	turn.Broadcast()
}

func within(name, ancestor string) bool {
	return name == ancestor || strings.HasPrefix(name, ancestor+"/")
}

// Handle makes fn answer a host function instead of the fake. Returning an *[abi.Error]
// makes the call fail.
func (h *Host) Handle(f abi.Function, fn func(params []string) ([]byte, error)) { h.handlers[f] = fn }

// Fail makes every call of a host function fail with code and message.
func (h *Host) Fail(f abi.Function, code abi.Code, message string) {
	h.Handle(f, func([]string) ([]byte, error) { return nil, &abi.Error{Code: code, Message: message} })
}

// Logs returns the capsule's log so far.
func (h *Host) Logs() []LogLine {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]LogLine(nil), h.logs...)
}

// Ready tells whether the capsule has signalled that its run loop is up.
func (h *Host) Ready() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ready
}

// raw encodes what a test passes as a payload or as arguments.
func (h *Host) raw(v any) []byte {
	h.t.Helper()
	switch v := v.(type) {
	case nil:
		return nil
	case string:
		return []byte(v)
	case []byte:
		return v
	case json.RawMessage:
		return v
	case abi.TaggedPayload:
		b, err := abi.MarshalPayload(v)
		if err != nil {
			h.t.Fatal(err)
		}
		return b
	}
	b, err := json.Marshal(v)
	if err != nil {
		h.t.Fatal(err)
	}
	return b
}
