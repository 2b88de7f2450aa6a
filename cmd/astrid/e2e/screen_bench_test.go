package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
)

// BenchmarkReportScreen is the chat screen on a terminal, from the start of the program, with a daemon that runs: until
// the input is there, until the end of a session of 10,000 messages is, and until its beginning is.
func BenchmarkReportScreen(b *testing.B) {
	const messages, rounds = 10_000, 7
	x := newBox(b, withFake)
	x.run("", "start").want(b, 0)
	conn := dial(b, x)
	session := "0a1b2c3d-0000-4000-8000-000000000000"
	for i := 0; i < messages; i += 2 {
		err := conn.Publish(b.Context(), abi.TopicSessionGet, session, x.ws, abi.SessionMessagesRequest{
			SessionID: session, CorrelationID: "seed", Last: 1, AppendBeforeRead: []abi.ChatMessage{
				abi.TextMessage(abi.RoleUser, fmt.Sprintf("question <%d>", i)),
				abi.TextMessage(abi.RoleAssistant, fmt.Sprintf("answer <%d>: **some** words, `code` and a list\n\n- one\n- two\n\n```go\nfunc main() {}\n```\n", i+1)),
			}})
		if err != nil {
			b.Fatal(err)
		}
	}
	eventually(b, "the messages to be stored", func() bool {
		var info abi.SessionInfo
		return json.Unmarshal([]byte(x.run("", "session", "show", session, "--json").out), &info) == nil && info.Messages == messages
	})
	var first, end, whole []time.Duration
	for range rounds {
		began := time.Now()
		s := x.open(120, 40, x.cmd("chat"))
		first = append(first, s.shows(began, "Ask something"))
		s.press("\x04")
		s.ends(0)

		began = time.Now()
		s = x.open(120, 40, x.cmd("chat", "--session", session))
		end = append(end, s.shows(began, fmt.Sprintf("answer <%d>", messages-1)))
		for !strings.Contains(s.shown(), "question <0>") {
			s.press("\x1b[1;5H") // to the top of what is there
			time.Sleep(time.Millisecond)
		}
		whole = append(whole, time.Since(began))
		s.press("\x04")
		s.ends(0)
	}
	report("chat_first_frame", ms(median(first)), "ms", 100)
	report("chat_open_10000", ms(median(end)), "ms", 300)
	report("chat_whole_10000", ms(median(whole)), "ms", 3000)
}

// shows is the time from began until a text is on the screen.
func (x *terminal) shows(began time.Time, text string) time.Duration {
	x.t.Helper()
	for ; time.Since(began) < patience; time.Sleep(time.Millisecond) {
		if strings.Contains(x.shown(), text) {
			return time.Since(began)
		}
	}
	x.t.Fatalf("%q is not on the screen:\n%s", text, x.shown())
	return 0
}
