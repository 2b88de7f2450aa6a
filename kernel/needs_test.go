package kernel

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/kernel/home"
)

// What a daemon had use for, the next one makes ready first, in that order. A file that says nothing of use changes nothing.
func TestNeeds(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles a guest")
	}
	o := options(t)
	for _, name := range []string{"a", "b", "c", "d"} {
		putGuest(t, o.Home, name, "1.0.0", "hello")
	}
	names := func(k *Kernel) string {
		var all []string
		for _, c := range k.byNeed() {
			all = append(all, c.ID())
		}
		return strings.Join(all, " ")
	}
	daemon := func(want string, use ...string) {
		t.Helper()
		k, err := Boot(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if got := names(k); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		for _, name := range use {
			// Whatever it answers, it was needed.
			if _, err := k.dispatcher.Invoke(t.Context(), name, &capsule.Invocation{Action: "none", Principal: home.DefaultPrincipal}); err != nil {
				t.Error(err)
			}
		}
		if err := k.Shutdown("test"); err != nil {
			t.Error(err)
		}
	}
	daemon("a b c d", "d", "b")
	daemon("d b a c") // asked for nothing, it forgets nothing
	// The file is replaced as a whole: a daemon that is killed meanwhile leaves the one before.
	path, before := (&Kernel{opts: o}).needsFile(), filepath.Join(t.TempDir(), "before")
	if err := os.Link(path, before); err != nil {
		t.Fatal(err)
	}
	daemon("d b a c", "c")
	if raw, err := os.ReadFile(before); err != nil || string(raw) != `["d","b"]` {
		t.Errorf("the file before is %s now (%v)", raw, err)
	}
	daemon("c a b d")
	for _, text := range []string{"{", `["gone","b","b"]`} {
		path := (&Kernel{opts: o}).needsFile()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		daemon(map[bool]string{true: "a b c d", false: "b a c d"}[text == "{"])
	}
}
