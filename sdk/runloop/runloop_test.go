package runloop_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk"
	"github.com/unicity-astrid/astrid-go/sdk/kv"
	"github.com/unicity-astrid/astrid-go/sdk/runloop"
	"github.com/unicity-astrid/astrid-go/sdk/sdktest"
)

func init() {
	sdk.On("note", func(ctx *sdk.Context, text string) error {
		return kv.Set("note-"+text, []byte(ctx.Principal()+" "+ctx.Session()))
	})
	runloop.Run(runloop.Serve)
}

func TestServe(t *testing.T) {
	h := sdktest.New(t)
	if err := h.RunLoop(); err == nil {
		t.Error("a loop without anything to serve ended well")
	}
	h.AddInterceptor("note", "a.*")
	h.AddInterceptor("note", "b.c")
	for i := range 3 {
		h.Deliver("a.x", fmt.Sprintf(`"a%d"`, i))
		h.Deliver("b.c", fmt.Sprintf(`"b%d"`, i))
	}
	h.Deliver("elsewhere", `"c"`)
	if err := h.RunLoop(); err != nil {
		t.Fatal(err)
	}
	if !h.Ready() {
		t.Error("the loop did not signal that it is up")
	}
	for _, key := range []string{"note-a0", "note-a1", "note-a2", "note-b0", "note-b1", "note-b2"} {
		if got := h.Key(key); got != "default session" {
			t.Errorf("%s: %q", key, got)
		}
	}
	if h.Key("note-c") != "" {
		t.Error("a message on another topic was handled")
	}
}

func TestServeFails(t *testing.T) {
	h := sdktest.New(t)
	h.AddInterceptor("note", "a.*")
	h.Fail(abi.IpcRecv, abi.CodeInternal, "broken")
	if err := h.RunLoop(); !errors.Is(err, abi.ErrInternal) {
		t.Errorf("got %v", err)
	}
}
