package kernel

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi/host"
	"github.com/unicity-astrid/astrid-go/ipc"
	"github.com/unicity-astrid/astrid-go/kernel/wire"
)

func TestWrongTokenIsTurnedAway(t *testing.T) {
	k := boot(t)
	p := dial(t, k.opts.Home)
	if _, err := wire.Greet(p.conn, "test", strings.Repeat("0", 64)); err == nil || !strings.Contains(err.Error(), "authentication failed") {
		t.Fatalf("got %v", err)
	}
	if !p.ended() {
		t.Error("the connection stayed open")
	}
}

func TestFrames(t *testing.T) {
	k := boot(t)
	for _, c := range []struct{ name, frame, want string }{
		{"no topic", `{"payload":{}}`, "no topic"},
		{"unknown topic", `{"topic":"foo.v1.bar","payload":{}}`, "not open to clients"},
		{"reserved topic", `{"topic":"astrid.v1.capsules_loaded","payload":{}}`, "not open to clients"},
		{"forged capsule message", `{"topic":"agent.v1.response","payload":{}}`, "not open to clients"},
		{"request without suffix", `{"topic":"astrid.v1.request.","payload":{}}`, "suffix"},
		{"nobody handles prompts", `{"topic":"user.v1.prompt","payload":{"type":"user_input","text":"x","session_id":"s"}}`, "no capsule handles"},
		{"session too long", `{"topic":"user.v1.prompt","session":"` + strings.Repeat("s", 129) + `","payload":{}}`, "session id"},
		{"session with control characters", `{"topic":"user.v1.prompt","session":"a\nb","payload":{}}`, "session id"},
		{"relative workspace", `{"topic":"user.v1.prompt","session":"r","workspace":"x","payload":{}}`, "absolute"},
		{"missing workspace", `{"topic":"user.v1.prompt","session":"m","workspace":"/does/not/exist","payload":{}}`, "workspace"},
		{"payload is missing", `{"topic":"user.v1.prompt"}`, "user.v1.prompt"},
		{"subscribe to capsule traffic", `{"topic":"client.v1.subscribe","payload":{"topics":["llm.v1.stream.*"]}}`, "not for clients"},
		{"subscribe to everything", `{"topic":"client.v1.subscribe","payload":{"topics":["*"]}}`, "not for clients"},
		{"subscribe", `{"topic":"client.v1.subscribe","payload":{"topics":["agent.v1.*"],"sessions":["s"]}}`, ""},
		{"answer to an unknown request", `{"topic":"astrid.v1.approval.response.zz","payload":{"type":"approval_response","request_id":"zz","decision":"approve"}}`, "no open approval request"},
		{"answer sent to another request", `{"topic":"astrid.v1.approval.response.a","payload":{"type":"approval_response","request_id":"b","decision":"approve"}}`, "request"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := connect(t, k).ack(c.frame)
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestManagementErrorsReachTheClient(t *testing.T) {
	k := boot(t)
	p := connect(t, k)
	for payload, want := range map[string]string{
		`{"method":"NoSuch"}`:                "unknown method",
		`[1]`:                                "management request",
		`{"method":"Shutdown","params":[1]}`: "params",
	} {
		p.send(`{"topic":"astrid.v1.request.e","payload":` + payload + `}`)
		m := p.recv()
		if m.Topic != "astrid.v1.response.e" || !strings.Contains(string(m.Payload), `"Error"`) || !strings.Contains(string(m.Payload), want) {
			t.Errorf("%s: got %s %s", payload, m.Topic, m.Payload)
		}
	}
}

// TestBadFramesHurtNobodyElse: what cannot be read ends that connection only.
func TestBadFramesHurtNobodyElse(t *testing.T) {
	k := boot(t)
	good := connect(t, k)
	huge := make([]byte, 4)
	binary.BigEndian.PutUint32(huge, 1<<32-1)
	for name, raw := range map[string][]byte{
		"length of 4 GiB": huge,
		"not JSON":        append([]byte{0, 0, 0, 3}, "{{{"...),
		"empty frame":     {0, 0, 0, 0},
	} {
		bad := connect(t, k)
		if _, err := bad.conn.Write(raw); err != nil {
			t.Fatal(err)
		}
		if !bad.ended() {
			t.Errorf("%s: the connection stayed open", name)
		}
	}
	stalled := connect(t, k)
	if _, err := stalled.conn.Write([]byte{0, 0}); err != nil {
		t.Fatal(err)
	}
	if got := good.ack(`{"topic":"client.v1.subscribe","payload":{"topics":[]}}`); got != "" {
		t.Errorf("the other client got %q", got)
	}
}

// TestClientsSeeTheirOwnSessions: a message reaches those who subscribed to its session,
// also when only its payload names it.
func TestClientsSeeTheirOwnSessions(t *testing.T) {
	k := boot(t)
	clients := map[string]*peer{"a": connect(t, k), "b": connect(t, k), "*": connect(t, k)}
	for s, p := range clients {
		if e := p.ack(fmt.Sprintf(`{"topic":"client.v1.subscribe","payload":{"topics":["agent.v1.*"],"sessions":[%q]}}`, s)); e != "" {
			t.Fatal(e)
		}
	}
	publish := func(session, principal, text string) {
		t.Helper()
		p, err := ipc.Custom(map[string]string{"session_id": session, "text": text})
		if err != nil {
			t.Fatal(err)
		}
		m := &ipc.Message{Topic: "agent.v1.note", Payload: p, Source: "someone", Principal: principal}
		if !strings.HasPrefix(text, "timer") {
			m.Session = session
		}
		if err := k.dispatcher.Publish(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	publish("a", "default", "for a")
	publish("b", "default", "for b")
	publish("a", "default", "timer for a")
	publish("a", "mallory", "of another principal")
	publish("a", "", "end")
	publish("b", "", "end")
	want := map[string][]string{"a": {"for a", "timer for a", "end"}, "b": {"for b", "end"}, "*": {"for a", "for b", "timer for a", "end", "end"}}
	for s, p := range clients {
		for _, w := range want[s] {
			var got struct {
				Data struct{ Text string }
			}
			if err := json.Unmarshal(p.recv().Payload, &got); err != nil {
				t.Fatal(err)
			}
			if got.Data.Text != w {
				t.Errorf("client of %q got %q, want %q", s, got.Data.Text, w)
			}
		}
	}
}

// TestSlowClientLosesItsConnection: one that does not read is cut off, others go on.
func TestSlowClientLosesItsConnection(t *testing.T) {
	k := boot(t, func(o *Options) { o.WriteTimeout = 2 * time.Second })
	slow, good := connect(t, k), connect(t, k)
	for _, p := range []*peer{slow, good} {
		if e := p.ack(`{"topic":"client.v1.subscribe","payload":{"topics":["agent.v1.*"],"sessions":["*"]}}`); e != "" {
			t.Fatal(e)
		}
	}
	big, err := ipc.Custom(strings.Repeat("x", 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	for range 10 { // more than a socket holds
		if err := k.dispatcher.Publish(t.Context(), &ipc.Message{Topic: "agent.v1.note", Payload: big, Source: "someone"}); err != nil {
			t.Fatal(err)
		}
		if m := good.recv(); len(m.Payload) < 1<<20 {
			t.Fatalf("the client that reads got %d bytes", len(m.Payload))
		}
	}
	<-k.server.left
	if n := k.server.count(); n != 1 {
		t.Errorf("%d clients are left, want the one that reads", n)
	}
	if e := good.ack(`{"topic":"client.v1.subscribe","payload":{"topics":[]}}`); e != "" {
		t.Errorf("the client that reads got %q", e)
	}
}

// TestSubscribeReplaces: a subscription says all of what a client is there for, so that a client that stops answering
// is not waited for.
func TestSubscribeReplaces(t *testing.T) {
	k := boot(t)
	p := connect(t, k)
	subscribe := func(payload string) {
		t.Helper()
		if e := p.ack(`{"topic":"client.v1.subscribe","payload":` + payload + `}`); e != "" {
			t.Fatal(e)
		}
	}
	there := func(want int, what string) {
		t.Helper()
		if n := k.gate.Approvals().Attached("default"); n != want {
			t.Errorf("%s: %d clients are asked, want %d", what, n, want)
		}
	}
	subscribe(`{"sessions":["*"],"approver":true}`)
	there(1, "an approver")
	subscribe(`{"sessions":["*"],"approver":true}`)
	there(1, "the same again")
	subscribe(`{"sessions":["s1"],"approver":true,"own_sessions":true}`)
	there(1, "for one session")
	wantDeferred(t, k, "s2", "another session than the one that the client answers for")
	subscribe(`{"sessions":["s1"]}`)
	there(0, "no approver any more")
	wantDeferred(t, k, "s1", "nobody answers")

	subscribe(`{"elicitor":true}`)
	subscribe(`{}`)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // who is there is waited for
	defer cancel()
	if _, err := k.questions.Ask(ctx, "default", "demo", text); !errors.Is(err, host.ErrNobody) {
		t.Errorf("who stopped answering is asked: %v", err)
	}
}
