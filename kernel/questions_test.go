package kernel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/host"
)

const attends = `{"topic":"client.v1.subscribe","payload":{"elicitor":true}}`

type asked struct {
	r   abi.ElicitResponse
	err error
}

// ask puts a question in the background.
func ask(ctx context.Context, k *Kernel, principal string, f abi.OnboardingField) <-chan asked {
	ch := make(chan asked, 1)
	go func() {
		r, err := k.questions.Ask(ctx, principal, "demo", f)
		ch <- asked{r, err}
	}()
	return ch
}

// question reads the next message, which must be one.
func (p *peer) question() abi.ElicitRequestEvent {
	p.t.Helper()
	m := p.recv()
	var q abi.ElicitRequestEvent
	if err := json.Unmarshal(m.Payload, &q); err != nil || m.Topic != abi.TopicElicit || !strings.Contains(string(m.Payload), `"type":"elicit_request"`) {
		p.t.Fatalf("got %s %s, want a question", m.Topic, m.Payload)
	}
	return q
}

func answerTo(id, value string) string {
	return fmt.Sprintf(`{"topic":"astrid.v1.elicit.response.%s","payload":{"type":"elicit_response","request_id":%q,"value":%q}}`, id, id, value)
}

var text = abi.OnboardingField{Key: "name", Prompt: "Your name", FieldType: abi.FieldType{Name: "Text"}}

func TestQuestions(t *testing.T) {
	k := boot(t)
	me := k.local.Principal
	if _, err := k.questions.Ask(t.Context(), me, "demo", text); !errors.Is(err, host.ErrNobody) {
		t.Errorf("with nobody there: %v", err)
	}
	bystander := connect(t, k)
	one, two := connect(t, k), connect(t, k)
	for _, p := range []*peer{one, two} {
		if e := p.ack(attends); e != "" {
			t.Fatal(e)
		}
	}
	if _, err := k.questions.Ask(t.Context(), "alice", "demo", text); !errors.Is(err, host.ErrNobody) {
		t.Errorf("clients of another principal are there: %v", err)
	}
	ch := ask(t.Context(), k, me, text)
	q := one.question()
	if two.question().RequestID != q.RequestID || q.CapsuleID != "demo" || q.Field.Prompt != "Your name" || len(q.RequestID) != 36 {
		t.Errorf("asked %+v", q)
	}
	late := connect(t, k)
	late.send(attends)
	if late.question().RequestID != q.RequestID {
		t.Error("who comes later is not asked")
	}
	if e := bystander.ack(answerTo(q.RequestID, "mallory")); !strings.Contains(e, "elicitor") {
		t.Errorf("a client that does not attend answered: %q", e)
	}
	if e := one.ack(answerTo("6f1c1c5e-0000-4000-8000-000000000001", "x")); !strings.Contains(e, "no open question") {
		t.Errorf("an unknown id: %q", e)
	}
	if e := one.ack(strings.Replace(answerTo(q.RequestID, "x"), `"request_id":"`, `"request_id":"other`, 1)); !strings.Contains(e, "was sent to") {
		t.Errorf("another id inside: %q", e)
	}
	if e := one.ack(answerTo(q.RequestID, "Ida")); e != "" {
		t.Fatal(e)
	}
	if a := <-ch; a.err != nil || a.r.Value == nil || *a.r.Value != "Ida" {
		t.Errorf("answered %+v %v", a.r, a.err)
	}
	var w abi.ElicitWithdrawn
	m := two.recv()
	var custom struct{ Data abi.ElicitWithdrawn }
	if err := json.Unmarshal(m.Payload, &custom); err != nil || m.Topic != abi.TopicElicitWithdrawn {
		t.Fatalf("got %s %s", m.Topic, m.Payload)
	}
	if w = custom.Data; w.RequestID != q.RequestID {
		t.Errorf("withdrawn %+v", w)
	}
	if e := two.ack(answerTo(q.RequestID, "too late")); !strings.Contains(e, "no open question") {
		t.Errorf("answered twice: %q", e)
	}
}

// TestQuestionsRefuse: an answer that is none leaves the question open, and is not repeated in the error.
func TestQuestionsRefuse(t *testing.T) {
	k := boot(t)
	p := connect(t, k)
	if e := p.ack(attends); e != "" {
		t.Fatal(e)
	}
	ch := ask(t.Context(), k, k.local.Principal, abi.OnboardingField{Key: "size", FieldType: abi.FieldType{Name: "Enum", Enum: []string{"small"}}})
	id := p.question().RequestID
	frame := func(payload string) string {
		return fmt.Sprintf(`{"topic":"astrid.v1.elicit.response.%s","payload":{"request_id":%q%s}}`, id, id, payload)
	}
	for payload, want := range map[string]string{
		`,"value":"geheim"`:                   "one of small",
		`,"values":["small"]`:                 "not a list",
		`,"value":"small","values":["small"]`: "either",
		`,"value":7`:                          "not an elicit_response",
		`,"value":"` + strings.Repeat("geheim", 20_000) + `"`:     "more than 65536 bytes",
		`,"values":["x"` + strings.Repeat(`,"geheim"`, 300) + `]`: "can have 256 values",
		`,"value":"geheim\u0000"`:                                 "without NUL",
	} {
		if e := p.ack(frame(payload)); !strings.Contains(e, want) || strings.Contains(e, "geheim") {
			t.Errorf("%.40s: %.200q, want %q", payload, e, want)
		}
	}
	if e := p.ack(frame("")); e != "" { // the person does not want to
		t.Fatal(e)
	}
	if a := <-ch; a.err != nil || a.r.Value != nil || a.r.Values != nil {
		t.Errorf("%+v %v", a.r, a.err)
	}
}

// TestQuestionsEnd: nobody waits for an answer that cannot come, or that nobody wants.
func TestQuestionsEnd(t *testing.T) {
	k := boot(t)
	p := connect(t, k)
	if e := p.ack(attends); e != "" {
		t.Fatal(e)
	}
	ch := ask(t.Context(), k, k.local.Principal, text)
	p.question()
	if err := p.conn.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case a := <-ch:
		if !errors.Is(a.err, host.ErrNobody) {
			t.Errorf("the last client left: %v", a.err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the question waits for clients that have left")
	}
	p = connect(t, k)
	if e := p.ack(attends); e != "" {
		t.Fatal(e)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	ch = ask(ctx, k, k.local.Principal, text)
	id := p.question().RequestID
	cancel(errors.New("the hook ended"))
	if a := <-ch; a.err == nil || a.err.Error() != "the hook ended" {
		t.Errorf("%v", a.err)
	}
	if m := p.recv(); m.Topic != abi.TopicElicitWithdrawn || !strings.Contains(string(m.Payload), id) {
		t.Errorf("got %s %s", m.Topic, m.Payload)
	}
	k.questions.mu.Lock()
	defer k.questions.mu.Unlock()
	if len(k.questions.open) != 0 {
		t.Errorf("%d questions are left", len(k.questions.open))
	}
}
