package e2e

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/testdata/fakeopenai"
)

// answered gets the time at which the fake begins to answer a prompt of the benchmark.
var answered = make(chan time.Time, 1)

func init() {
	fake.Scenarios["stamp"] = func(s *fakeopenai.Server, r *fakeopenai.Request, _ []string) fakeopenai.Answer {
		a := s.Speak(r)
		a.Wire.Gap = 2 * time.Millisecond // as models speak; what follows must not hide the first
		answered <- time.Now()
		return a
	}
}

// BenchmarkReportFirstToken: from the moment the provider begins to answer until a client
// has the first piece of text, against a bare HTTP client of the same server.
func BenchmarkReportFirstToken(b *testing.B) {
	const rounds = 25
	x := newBox(b, withFake)
	x.run("", "start").want(b, 0)
	conn := dial(b, x, abi.TopicAgentDelta, abi.TopicTurnCompleted)
	var relayed, bare []time.Duration
	for i := range rounds + 1 {
		session := uuid.NewString()
		text := fmt.Sprintf("scenario:stamp mark-first %d", i)
		if err := conn.Publish(b.Context(), abi.TopicUserPrompt, session, x.ws, abi.UserInput{Text: text, SessionID: session}); err != nil {
			b.Fatal(err)
		}
		next[abi.TextDelta](b, conn, abi.TopicAgentDelta)
		took := time.Since(<-answered)
		next[abi.TurnCompleted](b, conn, abi.TopicTurnCompleted)
		if i > 0 { // the first makes the instances
			relayed = append(relayed, took)
		}
	}
	body := string(requestsWith("mark-first 1")[0].Raw)
	for range rounds {
		resp, err := http.Post(fakeURL+"/v1/chat/completions", "application/json", strings.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		lines := bufio.NewReader(resp.Body)
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				b.Fatal(err)
			}
			if strings.Contains(line, `"content":"You`) {
				break
			}
		}
		bare = append(bare, time.Since(<-answered))
		resp.Body.Close()
	}
	report("first_token", ms(median(relayed)-median(bare)), "ms", 5)
}
