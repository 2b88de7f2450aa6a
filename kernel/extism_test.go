package kernel

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/host/hosttest"
	"github.com/unicity-astrid/astrid-go/ipc"
	"github.com/unicity-astrid/astrid-go/kernel/home"
)

// TestExtismToolFails: in v0.5.0 a tool that trapped, or that could not read its call, left the agent waiting. Each way
// of failing is answered with an error result, and the next call has a guest that works.
func TestExtismToolFails(t *testing.T) {
	i64 := []byte{hosttest.I64}
	imports := []hosttest.Import{
		hosttest.Env("input_offset", nil, i64), hosttest.Env("input_length", nil, i64), hosttest.Env("error_set", i64, nil),
		hosttest.Extism(abi.WriteFile, 2, false),
	}
	guest := func(code ...[]byte) []byte {
		return hosttest.Module{Imports: imports, Pages: 1, Funcs: []hosttest.Func{{Export: abi.ExportHookTrigger, Results: []byte{hosttest.I32}, Code: hosttest.Code(code...)}}}.Bytes()
	}
	guests := map[string]struct {
		wasm []byte
		says string
	}{
		"traps":  {guest(hosttest.Trap), "unreachable"},
		"fails":  {guest(hosttest.Call(0), hosttest.Call(2), hosttest.Const32(-1)), `{"arguments":[`},
		"code":   {guest(hosttest.Const32(3)), "non-zero exit code: 3"},
		"denied": {guest(hosttest.Call(0), hosttest.Const64(0), hosttest.Call(3), hosttest.Const32(0)), "resolve {"}, // its input is no path
	}
	k := boot(t, func(o *Options) {
		hostileHome(t, o, hostileDeadline)
		for name, g := range guests {
			installGuest(t, o.Home, name, g.wasm)
		}
	})
	sub, err := k.bus.Subscribe("hostile.v1.*", ipc.SubscribeOptions{Owner: "test", Capacity: 16})
	check(t, err)
	defer sub.Close()
	for name, g := range guests {
		for _, id := range []string{"c1", "c2"} {
			raw, err := abi.MarshalPayload(abi.ToolExecuteRequest{CallID: id, ToolName: name, Arguments: json.RawMessage(`{}`)})
			check(t, err)
			payload, err := ipc.ClassifyPayload(raw)
			check(t, err)
			check(t, k.dispatcher.Publish(t.Context(), &ipc.Message{Topic: "hostile.v1." + name, Payload: payload, Principal: home.DefaultPrincipal, Source: ipc.SourceKernel, SourceID: kernelSourceID}))
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			var res abi.ToolExecuteResult
			for res.CallID == "" {
				m, err := sub.Recv(ctx)
				if err != nil {
					t.Fatalf("%s: no result: %v", name, err)
				}
				if m.Payload.Tag() == abi.TagToolExecuteResult {
					check(t, json.Unmarshal(m.Payload.Tagged(), &res))
				}
			}
			cancel()
			if res.CallID != id || !res.Result.IsError || !strings.Contains(res.Result.Content, g.says) {
				t.Errorf("%s: %+v, want %q", name, res, g.says)
			}
		}
	}
}
