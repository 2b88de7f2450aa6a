package sandbox

import (
	"strings"
	"testing"
)

// TestSeatbelt: the profile denies by default, writes only to the scratch directory, and hides last, because the last rule wins.
func TestSeatbelt(t *testing.T) {
	o := Options{Workspace: "/Users/ida/w s", Home: "/Users/ida", Hidden: []string{"/Users/ida/.astrid"}, Readable: []string{"/Users/ida/.cargo"}}
	p := o.seatbelt(&Command{}, "/private/tmp/scratch")
	lines := strings.Split(strings.TrimSpace(p), "\n")
	if lines[0] != "(version 1)" || lines[1] != "(deny default)" {
		t.Errorf("it begins with %q", lines[:2])
	}
	for _, l := range lines {
		if strings.HasPrefix(l, "(allow file-write*") && (strings.Contains(l, "/Users") || !strings.Contains(l, "/dev/null") && l != `(allow file-write* (subpath "/private/tmp/scratch"))`) {
			t.Errorf("it may write: %s", l)
		}
		if strings.Contains(l, "network") {
			t.Errorf("it has a network: %s", l)
		}
	}
	if last := lines[len(lines)-1]; last != `(deny file-read* file-write* (subpath "/Users/ida/.astrid"))` {
		t.Errorf("it ends with %s", last)
	}
	for _, want := range []string{`(subpath "/Users/ida/w s")`, `(subpath "/Users/ida/.cargo")`} {
		if !strings.Contains(p, want) {
			t.Errorf("%s is missing", want)
		}
	}
	if net := o.seatbelt(&Command{Network: true}, "/s"); !strings.Contains(net, "(allow network-outbound (remote ip))") {
		t.Error("a granted network is missing")
	}
	o.Workspace = "/Users/ida" // the home itself: its secrets stay hidden
	if p := o.seatbelt(&Command{}, "/s"); !strings.Contains(p, `(subpath "/Users/ida/.ssh")`) {
		t.Error("keys of a home that is the workspace are shown")
	}
}
