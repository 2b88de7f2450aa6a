package host

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
)

// TestDescriptions: each row has one, and what the gate decides about is named for those that have a plan.
func TestDescriptions(t *testing.T) {
	h := New(Services{})
	for fn := range abi.FunctionCount {
		d := &descriptions[fn]
		if d.answer == "" || (d.resource == "") != (h.table[fn].plan == nil) {
			t.Errorf("%s: described as %+v", fn, d)
		}
		prefix, _, _ := strings.Cut(d.resource, ":")
		for _, cases := range []map[abi.Function]gateCase{gateCases, messageCases} {
			if c, ok := cases[fn]; ok && !strings.HasPrefix(c.resource, prefix+":") {
				t.Errorf("%s: described as decided about %s, its case has %s", fn, d.resource, c.resource)
			}
		}
		for _, c := range d.fails {
			if slices.Contains(everyFails, c) || h.table[fn].class == approval.Guarded && slices.Contains(guardedFails, c) {
				t.Errorf("%s: %s is said of every function already", fn, c)
			}
		}
	}
	var out bytes.Buffer
	must(t, WriteTable(&out))
	for _, want := range []string{"48  astrid_http_stream_close", "path (4096), content (10485760)", "net:bind:CAPSULE/NAME", "deferred"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}
