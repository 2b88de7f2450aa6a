package fs

import (
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
)

// TestPathErrorSaysItOnce: operation and file stand once before the reason, whatever the host calls them.
func TestPathErrorSaysItOnce(t *testing.T) {
	for _, c := range []struct{ name, host, want string }{
		{"nope.txt", "read nope.txt: no such file or directory", "read nope.txt: no such file or directory"},
		{"./a/../nope.txt", "open nope.txt: no such file", "read ./a/../nope.txt: no such file"},
		{"home://d/x", "read d/x: no such file", "read home://d/x: no such file"},
		{"/work/space/d/x", "read d/x: no such file", "read /work/space/d/x: no such file"},
		{"cwd://", "readdir .: permission denied", "read cwd://: permission denied"},
		{"a: b c", "read a: b c: no such file", "read a: b c: no such file"},
		{"none", "none: no such file", "read none: no such file"},
		// What is about another file, or about none, stays whole.
		{"link", "read target: no such file", "read link: read target: no such file"},
		{"x", "denied by manifest: capsule 'fs' denied: x", "read x: denied by manifest: capsule 'fs' denied: x"},
		{"x", "the session is over", "read x: the session is over"},
		{"", "read .: is a directory", "read : is a directory"},
	} {
		if got := pathError("read", c.name, abi.Errorf(abi.CodeNotFound, "%s", c.host)).Error(); got != c.want {
			t.Errorf("%q, %q: %q, want %q", c.name, c.host, got, c.want)
		}
	}
}
