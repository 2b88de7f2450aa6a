package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
)

// TestHooksAndUsers: what a capsule says to the hooks of hook-bridge changes calls, results and answers, and what it asks of users
// is kept.
func TestHooksAndUsers(t *testing.T) {
	t.Parallel()
	b := newBox(t, withFake)
	witness := filepath.Join(b.ws, "witness.capsule")
	if err := runTool(filepath.Join(binDir, "astrid-build"), "-o", witness, "testdata/witness"); err != nil {
		t.Fatal(err)
	}
	b.run("", "capsule", "install", "--yes", witness).want(t, 0)
	b.write("a.txt", "apple\n")
	b.write("b.txt", "banana\n")
	b.write("c.txt", "the password is 123\n")
	b.write("forbidden.txt", "nobody reads this\n")
	r := b.run("", "-p", `scenario:tools
call read_file {"file_path":"a.txt"}
call read_file {"file_path":"c.txt"}
call read_file {"file_path":"forbidden.txt"}
call whois {"account":"42"}`).want(t, 0, "banana", "[hidden]", "skipped by a hook: not today", "new person of 42")
	for _, never := range []string{"apple", "123", "nobody reads this"} {
		if strings.Contains(r.out, never) {
			t.Errorf("%q is in %s", never, r.out)
		}
	}
	b.run("", "stop").want(t, 0)
	b.run("", "start").want(t, 0)
	b.run("", "-p", "scenario:tools\ncall whois {\"account\":\"42\"}").want(t, 0, "known person of 42")

	conn := dial(t, b, abi.TopicAgentResponse)
	if err := conn.Publish(t.Context(), abi.TopicUserPrompt, "s", b.ws, abi.UserInput{Text: "mark-coffee", SessionID: "s"}); err != nil {
		t.Fatal(err)
	}
	if said := next[abi.AgentResponse](t, conn, abi.TopicAgentResponse); said.Text != "tea, if you please" {
		t.Errorf("%+v", said)
	}
}
