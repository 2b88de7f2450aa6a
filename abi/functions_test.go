package abi

import (
	"strings"
	"testing"
)

func TestFunctions(t *testing.T) {
	if FunctionCount != 49 {
		t.Fatalf("%d functions: the contract has 49", FunctionCount)
	}
	for f := Function(0); f < FunctionCount; f++ {
		if !strings.HasPrefix(f.String(), "astrid_") {
			t.Errorf("function %d is called %q", f, f)
		}
		if got, ok := FunctionByName(f.String()); !ok || got != f {
			t.Errorf("%s is found as %v: names must be unique", f, got)
		}
	}
	// The order numbers the functions for QuickJS guests, so it is pinned at both ends and in between.
	for f, name := range map[Function]string{0: "astrid_fs_exists", 6: "astrid_write_file", 21: "astrid_http_request", 34: "astrid_request_approval", 48: "astrid_http_stream_close"} {
		if f.String() != name {
			t.Errorf("function %d is %s, want %s", f, f, name)
		}
	}
	if _, ok := FunctionByName("astrid_unknown"); ok || FunctionCount.String() != "astrid_unknown" {
		t.Error("a function beyond the table has a name")
	}
}
