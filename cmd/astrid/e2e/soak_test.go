package e2e

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
)

// TestSoak runs turns with tools one after the other, in many sessions: all are answered, and the
// daemon does not grow. `make soak` runs 2000, the suite a few.
func TestSoak(t *testing.T) {
	t.Parallel()
	turns := 30
	if s := os.Getenv("SOAK_TURNS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 10 {
			t.Fatalf("SOAK_TURNS is %q: it must be a number from 10", s)
		}
		turns = n
	}
	b := newBox(t, withFake)
	b.run("", "start").want(t, 0)
	b.write("a.txt", "I am a\n")
	conn := b.connect(abi.TopicTurnCompleted, abi.TopicAgentResponse)
	ctx := context.Background()
	daemon := pid(t, b.home)
	var warm float64
	for i := range turns {
		session := fmt.Sprintf("soak-%d", i%max(turns/20, 3))
		text := fmt.Sprintf("scenario:tools soak <%d>\ncall read_file {\"file_path\": \"a.txt\"}\ncall list_directory {\"dir_path\": \".\"}", i)
		if i%10 == 9 {
			text = fmt.Sprintf("soak <%d> without tools", i)
		}
		in := abi.UserInput{Text: text, SessionID: session, Context: []byte(fmt.Sprintf(`{"turn_id":"soak-%d"}`, i))}
		if err := conn.Publish(ctx, abi.TopicUserPrompt, session, b.ws, in); err != nil {
			t.Fatal(err)
		}
		for seen := 0; seen < 2; seen++ {
			select {
			case m, ok := <-conn.Messages():
				if !ok || !strings.Contains(string(m.Payload), fmt.Sprintf(`"soak-%d"`, i)) || strings.Contains(string(m.Payload), `"error"`) {
					t.Fatalf("turn %d: %s %v", i, m.Payload, conn.Err())
				}
			case <-time.After(patience):
				t.Fatalf("turn %d: nothing was heard for %s", i, patience)
			}
		}
		if i == turns/5 {
			warm = rss(t, daemon)
		}
	}
	end := rss(t, daemon)
	t.Logf("%d turns: %.0f MiB after a fifth of them, %.0f MiB at the end", turns, warm, end)
	if end > warm*1.25+50 {
		t.Errorf("the daemon grew from %.0f to %.0f MiB", warm, end)
	}
	st := b.status()
	if st.Bus.QueueFull != 0 {
		t.Errorf("%d messages were refused by full queues", st.Bus.QueueFull)
	}
	for _, c := range st.Capsules {
		if c.Failed != 0 {
			t.Errorf("%s failed %d times", c.Name, c.Failed)
		}
	}
}
