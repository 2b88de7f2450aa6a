package kernel

import (
	"errors"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/ipc"
)

func TestFailureAnswer(t *testing.T) {
	const id = "6f1c0000-0000-4000-8000-000000000000"
	classify := func(raw string) ipc.Payload {
		p, err := ipc.ClassifyPayload([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	boom := errors.New("trap\nwasm stack trace: secret")
	for _, c := range []struct {
		name, topic, payload string
		wantTopic, want      string
	}{
		{"tool call", "tool.v1.execute.read_file", `{"type":"tool_execute_request","call_id":"c1","tool_name":"read_file","arguments":{}}`,
			"tool.v1.execute.read_file.result", `"is_error":true`},
		{"model request", "llm.v1.request.generate.x", `{"type":"llm_request","request_id":"` + id + `","model":"","messages":[],"tools":[],"system":""}`,
			"llm.v1.stream.x", `"Error":`},
		{"anything else", "agent.v1.response", `{"a":1}`, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, topic, ok := failureAnswer("cap", &ipc.Message{Topic: c.topic, Payload: classify(c.payload)}, boom)
			if ok != (c.wantTopic != "") || topic != c.wantTopic {
				t.Fatalf("topic %q, %v", topic, ok)
			}
			if !ok {
				return
			}
			b, err := abi.MarshalPayload(a)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(b), c.want) || !strings.Contains(string(b), "capsule 'cap' failed: trap") || strings.Contains(string(b), "secret") {
				t.Errorf("answer is %s", b)
			}
			if _, err := ipc.Tagged(a); err != nil {
				t.Errorf("the bus would not take it: %v", err)
			}
		})
	}
}
