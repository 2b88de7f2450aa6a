package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
)

// askThree begins prompt i in a session of its own. Its model reads a file, lists the directory and
// searches, at once.
func askThree(t testing.TB, b *box, i int) *process {
	t.Helper()
	return b.begin(b.cmd("--output-format", "json", "--session", fmt.Sprintf("three-%d", i), "-p", fmt.Sprintf(
		"scenario:tools number <%d>\ncall read_file {\"file_path\": \"f%d.txt\"}\ncall list_directory {\"dir_path\": \".\"}\ncall grep_search {\"pattern\": \"text of %d\"}", i, i, i)))
}

// threeTold checks that prompt i got its own answer, of its own tools, in order.
func threeTold(r result, i int) error {
	var a struct {
		Response   string
		StopReason string `json:"stop_reason"`
		ToolCalls  []struct {
			Name string
		} `json:"tool_calls"`
	}
	if err := json.Unmarshal([]byte(r.out), &a); err != nil || r.code != 0 {
		return fmt.Errorf("prompt %d: exit code %d, %v\n%s\n%s", i, r.code, err, clip(r.out), clip(r.err))
	}
	var names []string
	for _, c := range a.ToolCalls {
		names = append(names, c.Name)
	}
	own := fmt.Sprintf("text of %d", i)
	if a.StopReason != abi.StopEndTurn || !slices.Equal(names, []string{"read_file", "list_directory", "grep_search"}) || strings.Count(a.Response, own) < 2 {
		return fmt.Errorf("prompt %d: %s, calls %v\n%s", i, a.StopReason, names, clip(a.Response))
	}
	return nil
}

// TestManySessions: prompts of many sessions at once, each with three tool calls, are all
// answered, each with what its own tools said. `make bench` does it with a hundred.
func TestManySessions(t *testing.T) {
	t.Parallel()
	const n = 12
	b := newBox(t, withFake)
	b.run("", "start").want(t, 0)
	var ps []*process
	for i := range n {
		b.write(fmt.Sprintf("f%d.txt", i), fmt.Sprintf("text of %d\n", i))
	}
	for i := range n {
		ps = append(ps, askThree(t, b, i))
	}
	for i, p := range ps {
		if err := threeTold(p.wait(), i); err != nil {
			t.Error(err)
		}
	}
	if st := b.status(); st.Bus.QueueFull != 0 {
		t.Errorf("%d messages were refused by full queues", st.Bus.QueueFull)
	}
}
