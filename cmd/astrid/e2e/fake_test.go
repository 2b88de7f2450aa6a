package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/unicity-astrid/astrid-go/testdata/fakeopenai"
)

// fake is the model of all tests. What a prompt says after "scenario:" is what it does.
var fake = fakeopenai.New(fakeopenai.Options{Scenarios: map[string]fakeopenai.Scenario{
	"hold": hold,
	"control": func(*fakeopenai.Server, *fakeopenai.Request, []string) fakeopenai.Answer {
		return fakeopenai.Answer{Text: "red \x1b[31mtext\x1b[0m, bell \a, back\rspace\b, title \x1b]0;owned\a end"}
	},
	"hostile": func(*fakeopenai.Server, *fakeopenai.Request, []string) fakeopenai.Answer {
		return fakeopenai.Answer{Text: hostile}
	},
	"brief": func(*fakeopenai.Server, *fakeopenai.Request, []string) fakeopenai.Answer {
		return fakeopenai.Answer{Text: "a brief answer"}
	},
	// narrow has a window of so many bytes.
	"narrow": func(s *fakeopenai.Server, r *fakeopenai.Request, args []string) fakeopenai.Answer {
		if n, _ := strconv.Atoi(args[0]); len(r.Raw) > n {
			code := "context_length_exceeded"
			return fakeopenai.Answer{Error: &fakeopenai.APIError{Status: 400, Type: "invalid_request_error", Code: &code, Message: "This model's maximum context length is less."}}
		}
		return s.Speak(r)
	},
	"big": func(_ *fakeopenai.Server, _ *fakeopenai.Request, args []string) fakeopenai.Answer {
		n, _ := strconv.Atoi(args[0])
		return fakeopenai.Answer{Text: strings.Repeat("0123456789abcde\n", n/16)}
	},
}})

// gate holds answers back.
type gate struct {
	reached chan struct{} // closed when the request is there
	open    chan struct{} // closed to let the answer go
	arrive  sync.Once
	release sync.Once
}

var (
	gatesMu sync.Mutex
	gates   = map[int]*gate{}
)

// newGate makes a gate, and the words that make a prompt's answer wait for it.
func newGate(t testing.TB) (*gate, string) {
	g := &gate{reached: make(chan struct{}), open: make(chan struct{})}
	gatesMu.Lock()
	id := len(gates) + 1
	gates[id] = g
	gatesMu.Unlock()
	t.Cleanup(g.let)
	return g, fmt.Sprintf("scenario:hold:%d", id)
}

func (g *gate) let() { g.release.Do(func() { close(g.open) }) }

func hold(s *fakeopenai.Server, r *fakeopenai.Request, args []string) fakeopenai.Answer {
	id, _ := strconv.Atoi(args[0])
	gatesMu.Lock()
	g := gates[id]
	gatesMu.Unlock()
	if g != nil {
		g.arrive.Do(func() { close(g.reached) })
		<-g.open
	}
	return s.Speak(r)
}

// requestsWith are the requests whose body contains a text: tests share the server.
func requestsWith(text string) []fakeopenai.Request {
	var out []fakeopenai.Request
	for _, r := range fake.Requests() {
		if strings.Contains(string(r.Raw), text) {
			out = append(out, r)
		}
	}
	return out
}
