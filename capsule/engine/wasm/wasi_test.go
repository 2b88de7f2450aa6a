package wasm

import (
	"context"
	"errors"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi/host/hosttest"
	"github.com/unicity-astrid/astrid-go/capsule"
)

// TestWASIBounds: what one call of WASI may be asked for is bounded, and what lies outside of memory is refused. The answer
// of each guest is the function's, as a length.
func TestWASIBounds(t *testing.T) {
	const badf, fault, inval, notsup = 8, 21, 28, 58
	v := hosttest.I32
	r, _ := newRuntime(t, Options{})
	for _, c := range []struct {
		fn     string
		params []int
		errno  int
		trap   string
	}{
		{"random_get", []int{0, -1}, fault, ""},
		{"random_get", []int{-1, 1}, fault, ""},
		{"random_get", []int{1 << 16, 0}, 0, ""},
		{"random_get", []int{0, 1 << 16}, 0, ""},
		{"poll_oneoff", []int{0, 0, 0, 0}, inval, ""},
		{"poll_oneoff", []int{0, 1 << 15, 100, 0}, 0, ""},
		{"poll_oneoff", []int{0, 0, maxPoll, 0}, fault, ""}, // three pages
		{"poll_oneoff", []int{0, 0, maxPoll + 1, 0}, 0, "poll_oneoff: 4097 subscriptions, the limit is 4096"},
		{"poll_oneoff", []int{0, 0, 1 << 28, 0}, 0, "268435456 subscriptions"}, // times 32 and times 48 it is 0
		{"poll_oneoff", []int{0, 0, -1, 0}, 0, "4294967295 subscriptions"},
		{"fd_write", []int{1, 0, maxVectors, 0}, 0, ""},
		{"fd_write", []int{1, 0, maxVectors + 1, 0}, 0, "fd_write: 4097 buffers, the limit is 4096"},
		{"fd_write", []int{1, 0, 1 << 29, 0}, 0, "536870912 buffers"}, // times 8 it is 0
		{"fd_write", []int{1, -8, 2, 0}, fault, ""},
		{"fd_write", []int{9, 0, 1, 0}, badf, ""},
		{"fd_read", []int{0, 0, 1 << 29, 0}, 0, "536870912 buffers"},
		{"fd_renumber", []int{1, 9}, notsup, ""},
		{"fd_renumber", []int{1, -1}, badf, ""},
		{"fd_renumber", []int{1, 1<<31 - 1}, notsup, ""}, // it would take a table of 16 GiB
		{"args_sizes_get", []int{0, 4}, 0, ""},
		{"args_sizes_get", []int{-1, 4}, fault, ""},
		{"environ_sizes_get", []int{1 << 16, 1 << 16}, fault, ""},
		{"fd_prestat_get", []int{3, 0}, badf, ""},
	} {
		var types []byte
		var code []byte
		for _, p := range c.params {
			types = append(types, v)
			code = append(code, hosttest.Const32(p)...)
		}
		i := guest(t, r, one([]hosttest.Import{wasi(c.fn, types...)}, "", code, hosttest.Call(0), []byte{0xad})) // i64.extend_i32_u
		out, err := invoke(i, context.Background())
		switch {
		case c.trap != "":
			if !errors.Is(err, capsule.ErrInstanceDead) {
				t.Errorf("%s%v: %v", c.fn, c.params, err)
			}
			wantError(t, err, c.trap)
		case err != nil || len(out) != c.errno:
			t.Errorf("%s%v = %d %v, want %d", c.fn, c.params, len(out), err, c.errno)
		}
	}
}
