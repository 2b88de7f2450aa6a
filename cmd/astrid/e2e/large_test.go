package e2e

import (
	"strings"
	"testing"
)

// TestLargeRounds: thirty files of which each fills a result are read at once. The turn is answered, nothing of the system ends
// for it, and the session goes on, as do others.
func TestLargeRounds(t *testing.T) {
	t.Parallel()
	b := newBox(t, withFake)
	b.run("", "start").want(t, 0)
	b.write("large.txt", strings.Repeat("a line of a large file\n", 1<<20/23))
	prompt := "scenario:tools <large>" + strings.Repeat("\ncall read_file {\"file_path\": \"large.txt\"}", 30)
	b.run("", "--session", "large", "-p", prompt).want(t, 0, "left out")
	b.run("", "--session", "large", "-p", "and now?").want(t, 0, "You said: and now?")
	b.run("", "--session", "other", "-p", "hello").want(t, 0, "You said: hello")
	for _, c := range b.status().Capsules {
		if c.Failed != 0 || c.Restarts != 0 {
			t.Errorf("%s failed %d times and began anew %d times", c.Name, c.Failed, c.Restarts)
		}
	}
}
