package kernel

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/host"
	"github.com/unicity-astrid/astrid-go/ipc"
)

// questions are what capsules ask while they are installed. They go straight to clients that said they can answer, and their
// answers, secrets among them, come straight back: none of it is ever on the bus.
type questions struct {
	mu      sync.Mutex
	clients map[string]map[*client]bool // by principal
	open    map[string]*openQuestion    // by request id, which cannot be guessed
}

type openQuestion struct {
	principal string
	event     abi.ElicitRequestEvent
	answer    chan abi.ElicitResponse // has room for the one answer
	left      chan struct{}           // closed when the last client that could answer has left
}

// Ask puts a question to the clients of a principal. The first valid answer counts.
func (q *questions) Ask(ctx context.Context, principal, capsule string, field abi.OnboardingField) (abi.ElicitResponse, error) {
	o := &openQuestion{
		principal: principal, answer: make(chan abi.ElicitResponse, 1), left: make(chan struct{}),
		event: abi.ElicitRequestEvent{RequestID: uuid.NewString(), CapsuleID: capsule, Field: field},
	}
	q.mu.Lock()
	clients := q.of(principal)
	if len(clients) == 0 {
		q.mu.Unlock()
		return abi.ElicitResponse{}, host.ErrNobody
	}
	if q.open == nil {
		q.open = make(map[string]*openQuestion)
	}
	q.open[o.event.RequestID] = o
	q.mu.Unlock()
	for _, c := range clients {
		c.tell(abi.TopicElicit, o.event)
	}
	var (
		r      abi.ElicitResponse
		err    error
		reason = "it was answered"
	)
	select {
	case r = <-o.answer:
	case <-o.left:
		err = host.ErrNobody
	case <-ctx.Done():
		err, reason = context.Cause(ctx), "nobody waits for the answer any more"
	}
	q.mu.Lock()
	delete(q.open, o.event.RequestID)
	clients = q.of(principal)
	q.mu.Unlock()
	for _, c := range clients {
		c.tell(abi.TopicElicitWithdrawn, abi.ElicitWithdrawn{RequestID: o.event.RequestID, Reason: reason})
	}
	return r, err
}

// of lists the clients of a principal that can answer.
func (q *questions) of(principal string) []*client {
	var out []*client
	for c := range q.clients[principal] {
		out = append(out, c)
	}
	return out
}

// attach makes a client one that is asked. What is open comes at once.
func (q *questions) attach(c *client) {
	q.mu.Lock()
	if q.clients == nil {
		q.clients = make(map[string]map[*client]bool)
	}
	if q.clients[c.principal] == nil {
		q.clients[c.principal] = make(map[*client]bool)
	}
	var open []abi.ElicitRequestEvent
	if !q.clients[c.principal][c] {
		for _, o := range q.open {
			if o.principal == c.principal {
				open = append(open, o.event)
			}
		}
	}
	q.clients[c.principal][c] = true
	q.mu.Unlock()
	for _, e := range open {
		c.tell(abi.TopicElicit, e)
	}
}

// detach forgets a client. What nobody is left to answer is not waited for.
func (q *questions) detach(c *client) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.clients[c.principal][c] {
		return
	}
	delete(q.clients[c.principal], c)
	if len(q.clients[c.principal]) > 0 {
		return
	}
	for id, o := range q.open {
		if o.principal == c.principal {
			delete(q.open, id)
			close(o.left)
		}
	}
}

// resolve takes a client's answer.
func (q *questions) resolve(principal, id string, r abi.ElicitResponse) error {
	if err := checkAnswer(r); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	o := q.open[id]
	if o == nil || o.principal != principal {
		return fmt.Errorf("no open question has the id %q: it was answered already, withdrawn, or is somebody else's", id)
	}
	if err := fits(o.event.Field, r); err != nil {
		return err // the question stays open
	}
	delete(q.open, id)
	o.answer <- r
	return nil
}

// checkAnswer bounds an answer; it never repeats one.
func checkAnswer(r abi.ElicitResponse) error {
	if r.Value != nil && r.Values != nil {
		return fmt.Errorf("an answer has either value or values")
	}
	values := r.Values
	if r.Value != nil {
		values = []string{*r.Value}
	}
	if len(values) > abi.MaxElicitValues {
		return fmt.Errorf("an answer can have %d values, this one has %d", abi.MaxElicitValues, len(values))
	}
	size := 0
	for _, v := range values {
		if size += len(v); size > abi.MaxElicitAnswer {
			return fmt.Errorf("the answer has more than %d bytes", abi.MaxElicitAnswer)
		}
		if !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
			return fmt.Errorf("the answer is not text without NUL")
		}
	}
	return nil
}

// fits tells whether an answer is one to the question. None at all, which says that the person does not want to, always is.
func fits(f abi.OnboardingField, r abi.ElicitResponse) error {
	switch {
	case r.Value == nil && r.Values == nil:
		return nil
	case f.FieldType.Name == "Array":
		return nil
	case r.Value == nil:
		return fmt.Errorf("%s wants one value, not a list", f.Key)
	case f.FieldType.Name == "Secret" && *r.Value == "":
		return fmt.Errorf("%s must not be empty", f.Key)
	case f.FieldType.Name == "Enum":
		for _, o := range f.FieldType.Enum {
			if o == *r.Value {
				return nil
			}
		}
		return fmt.Errorf("%s wants one of %s", f.Key, strings.Join(f.FieldType.Enum, ", "))
	}
	return nil
}

// tell sends a record, with its tag if it has one, to this client alone.
func (c *client) tell(topic string, v any) {
	payload, err := ipc.Custom(v)
	if t, ok := v.(abi.TaggedPayload); ok {
		payload, err = ipc.Tagged(t)
	}
	if err != nil {
		return // cannot happen: these records always encode
	}
	c.send(abi.Message{Topic: topic, Payload: payload.Tagged(), SourceID: kernelSourceID, Timestamp: c.k.now(), Principal: c.principal})
}

// answerQuestion takes a client's answer to a question. Who it speaks for is known from the connection.
func (c *client) answerQuestion(f *abi.ClientFrame) error {
	var r abi.ElicitResponse
	if err := json.Unmarshal(f.Payload, &r); err != nil {
		return fmt.Errorf("%s: the answer is not an %s record", f.Topic, abi.TagElicitResponse) // not %w: it may quote a secret
	}
	id := strings.TrimPrefix(f.Topic, abi.TopicElicitResponse)
	if r.RequestID != id {
		return fmt.Errorf("the answer is for request %q but was sent to %q", r.RequestID, id)
	}
	c.mu.Lock()
	may := c.elicitor
	c.mu.Unlock()
	if !may {
		return fmt.Errorf("%s: only a client that subscribed with elicitor can answer", f.Topic)
	}
	return c.k.questions.resolve(c.principal, id, r)
}
