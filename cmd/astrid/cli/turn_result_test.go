package cli

import (
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
