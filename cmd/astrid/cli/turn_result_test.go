package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
)

// TestTurnResult: what became of the calls of a turn that ended well decides its exit code.
func TestTurnResult(t *testing.T) {
	for code, want := range map[abi.Code]int{
		abi.OK: ExitOK, abi.CodeNotFound: ExitOK, abi.CodeIO: ExitOK, // the model was told and went on
		abi.CodeUnsupported: ExitDenied, abi.CodeAudit: ExitDenied,
	} {
		tr := &turn{session: "s", calls: []*toolCall{{Name: "read_file"}, {Name: "read_file", IsError: code != abi.OK, Code: code.String(), Content: "why"}}}
		if got := codeOf(tr.result()); got != want {
			t.Errorf("%s: exit code %d, want %d", code, got, want)
		}
	}
	if got := codeOf((&turn{refused: 1}).result()); got != ExitDenied {
		t.Errorf("refused: exit code %d", got)
	}
}

// TestBrokenOff: a turn whose end nobody tells has a last object all the same, and only one.
func TestBrokenOff(t *testing.T) {
	silence := fail(ExitSilence, "nothing was heard")
	lost := (&turn{session: "s"}).lost(errors.New("gone"))
	for _, c := range []struct {
		name       string
		turn       turn
		err        error
		stop, kind string // stop "": nothing is written
	}{
		{"silence", turn{}, silence, abi.StopTimeout, "timeout"},
		{"the daemon went away", turn{stored: true}, lost, abi.StopError, "internal"},
		{"it did not stop in time", turn{late: true}, fail(ExitTurn, "not done"), abi.StopTimeout, "timeout"},
		{"Ctrl+C", turn{}, &exitError{code: ExitInterrupted}, abi.StopCancelled, ""},
		{"all is well", turn{}, nil, "", ""},
		{"it failed and said so", turn{ended: true}, fail(ExitTurn, "boom"), "", ""},
	} {
		for _, format := range []string{"json", "stream-json", "text"} {
			sys, out, _ := system("", false)
			tr := c.turn
			tr.sys, tr.session, tr.final = sys, "s", ""
			if err := tr.brokenOff(c.err, newOutput(format, sys)); err != c.err {
				t.Errorf("%s: it returns %v", c.name, err)
			}
			if c.stop == "" || format == "text" {
				if out.Len() > 0 {
					t.Errorf("%s, %s: it writes %q", c.name, format, out)
				}
				continue
			}
			var got jsonResult
			d := json.NewDecoder(bytes.NewReader(out.Bytes()))
			if err := d.Decode(&got); err != nil || d.More() {
				t.Fatalf("%s, %s: %q: %v", c.name, format, out, err)
			}
			if got.Type != "result" || got.SessionID != "s" || got.StopReason != c.stop || (got.Error != nil) != (c.kind != "") {
				t.Errorf("%s, %s: %s", c.name, format, out)
			}
			if got.Error != nil && (got.Error.Kind != c.kind || !strings.Contains(c.err.Error(), got.Error.Message)) {
				t.Errorf("%s, %s: %+v", c.name, format, got.Error)
			}
		}
	}
}
