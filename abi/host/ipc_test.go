package host

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/ipc"
)

// TestEnvelope: who a message comes from is the kernel's word, whatever the guest writes.
func TestEnvelope(t *testing.T) {
	r := newRig(t, rigOptions{})
	g := r.guest(newCapsule(everythingGrants()))
	g.call = &Call{Principal: "alice", Session: "s9", Chain: []string{"react"}, Message: &ipc.Message{Hops: 4}}
	g.want("", abi.IpcPublish, "t.v1.a", `{"principal":"root","session":"s1","source_id":"kernel","source":"kernel","topic":"astrid.v1.x","seq":1}`)
	m := r.sent[0]
	if m.Principal != "alice" || m.Session != "s9" || m.Source != "guest" || m.SourceID != "uuid-guest" || m.Topic != "t.v1.a" ||
		len(m.Chain) != 1 || m.Chain[0] != "react" || m.Hops != 4 {
		t.Errorf("%+v", m)
	}
}

// TestSessionNamed: only a capsule that may, and only outside of a session, says which one it speaks in.
func TestSessionNamed(t *testing.T) {
	for _, c := range []struct {
		may           bool
		call, payload string
		want          string
	}{
		{true, "", `{"session_id":"s1"}`, "s1"},
		{true, "", `{"type":"user_input","text":"x","session_id":"s1"}`, "s1"},
		{true, "s9", `{"session_id":"s1"}`, "s9"},
		{true, "", `{"text":"x"}`, ""},
		{true, "", `[1]`, ""},
		{false, "", `{"session_id":"s1"}`, ""},
	} {
		r := newRig(t, rigOptions{})
		grants := everythingGrants()
		grants.AnySession = c.may
		g := r.guest(newCapsule(grants))
		g.call = &Call{Principal: "alice", Session: c.call}
		g.want("", abi.IpcPublish, "t.v1.a", c.payload)
		if got := r.sent[0].Session; got != c.want {
			t.Errorf("%+v: session %q", c, got)
		}
		if c.may && c.call == "" {
			g.refused(abi.CodeInvalid, "control", abi.IpcPublish, "t.v1.a", `{"session_id":"a\u0000b"}`)
			g.refused(abi.CodeInvalid, "session_id", abi.IpcPublish, "t.v1.a", `{"session_id":"`+strings.Repeat("x", abi.MaxSessionID+1)+`"}`)
		}
	}
}

func TestTopics(t *testing.T) {
	r := newRig(t, rigOptions{})
	g := everythingGrants()
	g.IPCPublish = append(g.IPCPublish, "*.*.*", "astrid.v1.*", "astrid.v1.approval.response.*")
	gu := r.guest(newCapsule(g))
	for topic, code := range map[string]abi.Code{
		"astrid.v1.capsules_loaded":        abi.CodeDenied, // whatever the manifest says
		"astrid.v1.approval.response.abcd": abi.CodeDenied,
		"t.v2.other.deep":                  abi.CodeDenied,
		"":                                 abi.CodeInvalid,
		"t..a":                             abi.CodeInvalid,
		".t.v1":                            abi.CodeInvalid,
		"t.v1.\xff":                        abi.CodeInvalid,
		"a.b.c.d.e.f.g.h.i":                abi.CodeInvalid,
	} {
		gu.refused(code, "", abi.IpcPublish, topic, "{}")
		if strings.HasPrefix(topic, "astrid") {
			gu.refused(code, "", abi.TriggerHook, `{"hook":"`+topic+`","payload":{}}`)
		}
	}
	gu.refused(abi.CodeInvalid, "", abi.IpcPublish, "t.v1.a", `{"a":`)
	gu.refused(abi.CodeInvalid, "payload", abi.TriggerHook, `{"hook":"t.v1.a"}`)
	gu.refused(abi.CodeInvalid, "", abi.TriggerHook, `null`)
	if len(r.sent) != 0 {
		t.Errorf("%d messages were sent", len(r.sent))
	}
}

// Whoever answers a hook acts for the caller with rights of its own. So a capsule asks what it may also send a message to.
func TestHooksAreBoundLikeMessages(t *testing.T) {
	r := newRig(t, rigOptions{})
	gu := r.guest(newCapsule(Grants{Source: "Capsule.toml", IPCPublish: []string{"t.v1.ask"}}))
	for _, topic := range []string{"tool.v1.execute.write_file", "user.v1.prompt", "llm.v1.request.generate.openai", "t.v1.other", "a.hook"} {
		gu.refused(abi.CodeDenied, "ipc_publish", abi.TriggerHook, `{"hook":"`+topic+`","payload":{}}`)
	}
	// Names of one word are hooks and nothing else; what others offer is no secret.
	for _, topic := range []string{"t.v1.ask", "before_tool_call", "tool.v1.request.describe"} {
		gu.want("[]", abi.TriggerHook, `{"hook":"`+topic+`","payload":{}}`)
	}
}

// TestPublishRate: who publishes too much waits for the next window, and what is refused takes no room in this one.
func TestPublishRate(t *testing.T) {
	r := newRig(t, rigOptions{now: time.Now})
	g := r.guest(newCapsule(everythingGrants()))
	big := `"` + strings.Repeat("x", abi.MaxPublish-2) + `"`
	began := time.Now()
	for range 2 {
		g.refused(abi.CodeDenied, "", abi.IpcPublish, "x.v1.a", big)
		g.want("", abi.IpcPublish, "t.v1.a", big)
	}
	g.want("", abi.IpcPublish, "t.v1.a", "{}")
	if len(r.sent) != 3 {
		t.Errorf("%d messages were sent", len(r.sent))
	}
	if took := time.Since(began); took < time.Second {
		t.Errorf("%d bytes were published within %s", 2*len(big)+2, took)
	}
}

func TestSubscriptionLimit(t *testing.T) {
	r := newRig(t, rigOptions{})
	g := r.guest(newCapsule(everythingGrants()))
	for i := range abi.MaxSubscriptions {
		g.want(strconv.Itoa(i+1), abi.IpcSubscribe, "t.v1.a")
	}
	g.refused(abi.CodeLimit, "128", abi.IpcSubscribe, "t.v1.a")
	g.want("", abi.IpcUnsubscribe, "7")
	g.refused(abi.CodeHandle, "7", abi.IpcUnsubscribe, "7")
	g.want("129", abi.IpcSubscribe, "t.v1.a") // handles are not used twice
	if n := r.bus.Stats().Subscriptions; n != abi.MaxSubscriptions {
		t.Errorf("%d subscriptions on the bus", n)
	}
	g.inst.Close()
	if n := r.bus.Stats().Subscriptions; n != 0 {
		t.Errorf("%d subscriptions after the instance is gone", n)
	}
	g.refused(abi.CodeCanceled, "unloaded", abi.IpcSubscribe, "t.v1.a")
}

// TestForeignHandles: a handle is good in the instance and for the principal that it was opened for.
func TestForeignHandles(t *testing.T) {
	r := newRig(t, rigOptions{})
	c := newCapsule(everythingGrants())
	a, b := r.guest(c), r.guest(c)
	a.want("1", abi.IpcSubscribe, "t.v1.a")
	for _, fn := range []abi.Function{abi.IpcPoll, abi.IpcUnsubscribe} {
		b.refused(abi.CodeHandle, "", fn, "1")
	}
	b.refused(abi.CodeHandle, "", abi.IpcRecv, "1", "0")
	a.call = &Call{Principal: "mallory"}
	a.refused(abi.CodeHandle, "", abi.IpcPoll, "1")
	a.refused(abi.CodeHandle, "", abi.IpcUnsubscribe, "1")
	for _, h := range []string{"", "-1", "x", "18446744073709551616", "\xff", "1 "} {
		a.refused(abi.CodeInvalid, "", abi.IpcPoll, h)
	}
	a.refused(abi.CodeHandle, "", abi.HTTPStreamRead, "1")
}

func poll(t *testing.T, b []byte) abi.PollEnvelope {
	t.Helper()
	var e abi.PollEnvelope
	must(t, json.Unmarshal(b, &e))
	return e
}

// TestPrincipalsApart: an instance that serves several principals shows each its own
// messages, and those of nobody.
func TestPrincipalsApart(t *testing.T) {
	r := newRig(t, rigOptions{})
	g := r.guest(newCapsule(everythingGrants()))
	g.want("1", abi.IpcSubscribe, "t.v1.*")
	g.call = &Call{Principal: "alice"}
	g.want("2", abi.IpcSubscribe, "t.v1.*")
	for _, p := range []string{"default", "alice", ""} {
		payload, err := ipc.Custom(p)
		must(t, err)
		must(t, r.bus.Publish(context.Background(), &ipc.Message{Topic: "t.v1.a", Principal: p, Payload: payload}))
	}
	out, aerr := g.do(abi.IpcPoll, "2")
	if aerr != nil {
		t.Fatal(aerr)
	}
	e := poll(t, out)
	if len(e.Messages) != 2 || e.Messages[0].Principal != "alice" || e.Messages[1].Principal != "" {
		t.Errorf("alice sees %s", out)
	}
}

// TestBatches: a poll ends before its answer gets too big; what stays is not lost.
func TestBatches(t *testing.T) {
	r := newRig(t, rigOptions{})
	g := r.guest(newCapsule(everythingGrants()))
	g.want("1", abi.IpcSubscribe, "t.v1.a")
	payload, err := ipc.Custom(strings.Repeat("x", 4<<20))
	must(t, err)
	for range 3 {
		must(t, r.bus.Publish(context.Background(), &ipc.Message{Topic: "t.v1.a", Principal: "default", Payload: payload}))
	}
	var got []int
	for range 3 {
		out, aerr := g.do(abi.IpcPoll, "1")
		if aerr != nil {
			t.Fatal(aerr)
		}
		e := poll(t, out)
		got = append(got, len(e.Messages), int(e.Dropped))
	}
	if want := []int{2, 1, 1, 0, 0, 0}; !equal(got, want) {
		t.Errorf("messages and more-to-come of each poll: %v, want %v", got, want)
	}
	// A full queue loses the oldest, and says how many.
	small, err := ipc.Custom("x")
	must(t, err)
	for range abi.DefaultSubscription + 5 {
		must(t, r.bus.Publish(context.Background(), &ipc.Message{Topic: "t.v1.a", Principal: "default", Payload: small}))
	}
	out, _ := g.do(abi.IpcPoll, "1")
	if e := poll(t, out); e.Lagged != 5 || len(e.Messages) != abi.DefaultSubscription {
		t.Errorf("lagged %d, %d messages", e.Lagged, len(e.Messages))
	}
}

// TestSubscriptionBytes: what waits for an instance is bounded in bytes, in all of its subscriptions together.
func TestSubscriptionBytes(t *testing.T) {
	r := newRig(t, rigOptions{})
	g := r.guest(newCapsule(everythingGrants()))
	g.want("1", abi.IpcSubscribe, "t.v1.a")
	g.want("2", abi.IpcSubscribe, "t.v1.b")
	const size, n = 4 << 20, 20
	big, err := ipc.Custom(strings.Repeat("x", size))
	must(t, err)
	for i := range n {
		topic := "t.v1.a"
		if i%2 > 0 {
			topic = "t.v1.b"
		}
		must(t, r.bus.Publish(context.Background(), &ipc.Message{Topic: topic, Principal: "default", Payload: big}))
	}
	waiting, lagged := 0, uint64(0)
	for _, s := range g.inst.subs {
		waiting += s.Pending()
		lagged += s.Lagged()
	}
	if want := abi.SubscriptionBytes/size - 1; waiting != want || lagged != uint64(n-want) {
		t.Errorf("%d messages wait and %d were lost, want %d and %d", waiting, lagged, want, n-want)
	}
}

func equal(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestRecv(t *testing.T) {
	r := newRig(t, rigOptions{})
	g := r.guest(newCapsule(everythingGrants()))
	g.want("1", abi.IpcSubscribe, "t.v1.a")
	out, aerr := g.do(abi.IpcRecv, "1", "1")
	if e := poll(t, out); aerr != nil || len(e.Messages) != 0 {
		t.Errorf("timeout: %v %s", aerr, out)
	}
	for _, ms := range []string{"", "-1", "1.5", "x"} {
		g.refused(abi.CodeInvalid, "milliseconds", abi.IpcRecv, "1", ms)
	}
	payload, err := ipc.Custom("hello")
	must(t, err)
	go func() {
		if err := r.bus.Publish(context.Background(), &ipc.Message{Topic: "t.v1.a", Payload: payload}); err != nil {
			t.Error(err)
		}
	}()
	out, aerr = g.do(abi.IpcRecv, "1", "60000")
	if aerr != nil || len(poll(t, out).Messages) != 1 {
		t.Errorf("%v %s", aerr, out)
	}
	// The call's end wakes the guest with the reason.
	ctx, cancel := context.WithCancelCause(context.Background())
	why := errors.New("session is over") // any error: the kernel says why in its own words
	time.AfterFunc(10*time.Millisecond, func() { cancel(why) })
	if _, aerr = g.doCtx(ctx, abi.IpcRecv, "1", "18446744073709551615"); aerr == nil || aerr.Code != abi.CodeCanceled || !strings.Contains(aerr.Message, why.Error()) {
		t.Errorf("canceled: %v", aerr)
	}
	// So does the end of the instance.
	time.AfterFunc(10*time.Millisecond, g.inst.Close)
	if _, aerr = g.do(abi.IpcRecv, "1", "60000"); aerr == nil || aerr.Code != abi.CodeClosed {
		t.Errorf("closed: %v", aerr)
	}
}

// TestRunLoop: a run loop finds its interceptors as subscriptions that it cannot end.
func TestRunLoop(t *testing.T) {
	r := newRig(t, rigOptions{})
	c := newCapsule(Grants{})
	c.Interceptors = []AutoSubscription{{"u.v1.a", "on_a"}, {"u.v1.*", "on_any"}}
	g := r.guest(c)
	inst, err := r.host.NewInstance(c, true)
	must(t, err)
	g.inst.Close()
	g.inst = inst
	g.want(`[{"handle_id":1,"action":"on_a","topic":"u.v1.a"},{"handle_id":2,"action":"on_any","topic":"u.v1.*"}]`, abi.GetInterceptorHandles)
	g.refused(abi.CodeDenied, "runtime", abi.IpcUnsubscribe, "1")
	inst.Close()
	inst.Close()
	c.Interceptors = make([]AutoSubscription, abi.MaxAutoSubscribe+1)
	if _, err := r.host.NewInstance(c, true); err == nil {
		t.Error("65 interceptors were accepted")
	}
	c.Interceptors = []AutoSubscription{{"u.v1.a", "a"}, {"bad..topic", "b"}}
	if _, err := r.host.NewInstance(c, true); err == nil || r.bus.Stats().Subscriptions != 0 {
		t.Errorf("%v, %d subscriptions left", err, r.bus.Stats().Subscriptions)
	}
}
