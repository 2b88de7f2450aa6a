package sdktest_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk"
	"github.com/unicity-astrid/astrid-go/sdk/ipc"
	"github.com/unicity-astrid/astrid-go/sdk/kv"
	"github.com/unicity-astrid/astrid-go/sdk/net"
	"github.com/unicity-astrid/astrid-go/sdk/process"
	"github.com/unicity-astrid/astrid-go/sdk/runtime"
	"github.com/unicity-astrid/astrid-go/sdk/sdktest"
	sdktime "github.com/unicity-astrid/astrid-go/sdk/time"
)

type counter struct{ N int }

func init() {
	sdk.Tool("count", "counts", func(_ *sdk.Context, a struct {
		By int `json:"by"`
	}) (counter, error) {
		var out counter
		err := sdk.State[counter]{}.Update(func(c *counter) error {
			if c.N += a.By; c.N < 0 {
				return errors.New("below zero")
			}
			out = *c
			return nil
		})
		return out, err
	}, sdk.Mutable())
	sdk.Tool("explode", "panics", func(*sdk.Context, struct{}) (int, error) { panic("boom") })
	sdk.Describe("Tools for counting.")
	sdk.Interceptor("guard", func(ctx *sdk.Context, p []byte) (sdk.Verdict, error) {
		switch string(p) {
		case "ok":
			return sdk.Continue(), nil
		case "deny":
			return sdk.Deny("because"), nil
		case "panic":
			panic("boom")
		case "cannot":
			return sdk.Rewrite(func() {}), nil
		case "who":
			return sdk.Final(ctx.Caller()), nil
		}
		return sdk.Verdict{}, errors.New("no idea")
	})
	sdk.On("watch", func(_ *sdk.Context, p struct{ Fail string }) error {
		if p.Fail == "panic" {
			panic("boom")
		}
		if p.Fail != "" {
			return errors.New(p.Fail)
		}
		return nil
	})
	sdk.OnInstall(func(*sdk.Context) error {
		name, err := runtime.ElicitText("name", "Your name", "")
		if err != nil {
			return err
		}
		if err := runtime.ElicitSecret("key", "The key"); err != nil {
			return err
		}
		return kv.Set("name", []byte(name))
	})
	sdk.OnUpgrade(func(_ *sdk.Context, prev string) error { return kv.Set("prev", []byte(prev)) })
}

func TestState(t *testing.T) {
	h := sdktest.New(t)
	h.SetKey(sdk.StateKey, "not JSON")
	for _, tt := range []struct {
		by   int
		want string
		err  bool
	}{{2, `{"N":2}`, false}, {3, `{"N":5}`, false}, {-9, "below zero", true}, {1, `{"N":6}`, false}} {
		if got := h.CallTool("count", map[string]int{"by": tt.by}); got.Content != tt.want || got.IsError != tt.err {
			t.Errorf("by %d: %+v", tt.by, got)
		}
	}
	if l := h.Logs(); len(l) != 1 || l[0].Level != "warn" {
		t.Errorf("logs %v", l)
	}
	h.Caller.Principal = "ida"
	if got := h.CallTool("count", `{"by":1}`); got.Content != `{"N":1}` {
		t.Errorf("another principal's state: %+v", got)
	}
}

func TestTools(t *testing.T) {
	h := sdktest.New(t)
	d := h.Tools()
	if d.Description != "Tools for counting." || len(d.Tools) != 2 || d.Tools[0].Name != "count" || d.Tools[1].Name != "explode" {
		t.Errorf("%+v", d)
	}
	if s := string(d.Tools[0].InputSchema); !strings.HasSuffix(s, `"mutable":true}`) {
		t.Error(s)
	}
	if got := h.CallTool("explode", nil); !got.IsError || got.Content != "tool explode failed unexpectedly: boom" {
		t.Errorf("%+v", got)
	}
}

func TestVerdicts(t *testing.T) {
	h := sdktest.New(t)
	for _, tt := range []struct {
		payload string
		verdict byte
		text    string
	}{
		{"ok", abi.VerdictContinue, ""},
		{"deny", abi.VerdictDeny, "because"},
		{"other", abi.VerdictDeny, "guard: no idea"},
		{"panic", abi.VerdictDeny, "guard: panic: boom"},
		{"cannot", abi.VerdictDeny, "guard: json: unsupported type: func()"},
	} {
		if a := h.Call("guard", tt.payload); a.Verdict != tt.verdict || string(a.Payload) != tt.text {
			t.Errorf("%s: %d %s", tt.payload, a.Verdict, a.Payload)
		}
	}
	var c abi.Caller
	if err := h.Call("guard", "who").JSON(&c); err != nil || c != h.Caller {
		t.Errorf("%+v %v", c, err)
	}
	for _, p := range []any{nil, `{"Fail":"x"}`, `{"Fail":"panic"}`, `[`} {
		if a := h.Call("watch", p); a.Verdict != abi.VerdictContinue || len(a.Payload) != 0 {
			t.Errorf("%v: an observer said %d %s", p, a.Verdict, a.Payload)
		}
	}
	if !h.Call("nobody", nil).Denied() {
		t.Error("an action without a handler was let through")
	}
}

func TestLifecycle(t *testing.T) {
	h := sdktest.New(t)
	if err := h.Install(); !errors.Is(err, abi.ErrDenied) {
		t.Errorf("an unscripted question: %v", err)
	}
	h.Elicit = func(req abi.ElicitRequest) (abi.ElicitAnswer, error) { return abi.ElicitAnswer{Value: "Ida"}, nil }
	if err := h.Install(); err != nil {
		t.Fatal(err)
	}
	if h.Key("name") != "Ida" || !h.Secrets["key"] {
		t.Errorf("name %q, secrets %v", h.Key("name"), h.Secrets)
	}
	if err := h.Upgrade("0.9.0"); err != nil || h.Key("prev") != "0.9.0" {
		t.Errorf("%q %v", h.Key("prev"), err)
	}
	h.Elicit = func(abi.ElicitRequest) (abi.ElicitAnswer, error) { return abi.ElicitAnswer{}, errors.New("later") }
	if err := h.Install(); !errors.Is(err, abi.ErrCanceled) {
		t.Errorf("a cancelled question: %v", err)
	}
}

func TestClockMovesOnlyWithWaits(t *testing.T) {
	h := sdktest.New(t)
	start := sdktime.Now()
	s, err := ipc.Subscribe("a.*")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recv(3 * time.Second); err != nil {
		t.Fatal(err)
	}
	if d := sdktime.Now().Sub(start); d != 3*time.Second || !h.Now.Equal(sdktime.Now()) {
		t.Errorf("moved by %s", d)
	}
}

func TestNet(t *testing.T) {
	h := sdktest.New(t)
	l, err := net.Listen("system.sock")
	if err != nil {
		t.Fatal(err)
	}
	if c, err := l.Poll(); c != nil || err != nil {
		t.Errorf("%v %v", c, err)
	}
	peer := h.Connect()
	peer.Send("")
	peer.Send("hi")
	peer.Close()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"", "hi"} {
		if b, err := c.ReadFrame(); string(b) != want || err != nil {
			t.Errorf("%q %v", b, err)
		}
	}
	if _, err := c.ReadFrame(); err == nil || err.Error() != "EOF" {
		t.Errorf("got %v", err)
	}
	if _, err := l.Accept(); !errors.Is(err, abi.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestProcess(t *testing.T) {
	h := sdktest.New(t)
	h.Process = func(r abi.ProcessRequest) (abi.ProcessResult, error) {
		if r.Cmd == "none" {
			return abi.ProcessResult{}, abi.Errorf(abi.CodeNotFound, "no such program")
		}
		return abi.ProcessResult{Stdout: fmt.Sprint(r.Cmd, r.Args) + r.Stdin, ExitCode: 3, TimedOut: r.TimeoutMS == 1500}, nil
	}
	if r, err := (process.Command{Name: "cat", Stdin: "in", Timeout: 1500 * time.Millisecond}).Run(); err != nil || r.Stdout != "cat[]in" || !r.TimedOut {
		t.Errorf("%+v %v", r, err)
	}
	if _, err := process.Run("none"); !errors.Is(err, abi.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if _, err := process.Start("none"); !errors.Is(err, abi.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	r, err := process.Run("git", "status")
	if err != nil || r.Stdout != "git[status]" || r.ExitCode != 3 {
		t.Errorf("%+v %v", r, err)
	}
	p, err := process.Start("sleep")
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"sleep[]", ""} {
		if l, err := p.Logs(); err != nil || l.Stdout != want || l.Running {
			t.Errorf("%d: %+v %v", i, l, err)
		}
	}
	if k, err := p.Kill(); err != nil || !k.Killed || *k.ExitCode != 3 {
		t.Errorf("%+v %v", k, err)
	}
	if _, err := p.Logs(); !errors.Is(err, abi.ErrHandle) {
		t.Errorf("got %v", err)
	}
	h.Running(true)
	if p, err = process.Start("sleep"); err != nil {
		t.Fatal(err)
	}
	if l, err := p.Logs(); err != nil || !l.Running || l.ExitCode != nil {
		t.Errorf("%+v %v", l, err)
	}
	if k, err := p.Kill(); err != nil || k.ExitCode != nil {
		t.Errorf("%+v %v", k, err)
	}
}

// Tests in parallel never see each other's host; subtests get their own above the parent's.
func TestHostsDoNotInterfere(t *testing.T) {
	for i := range 8 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			h := sdktest.New(t)
			h.CallTool("count", map[string]int{"by": i})
			t.Run("inner", func(t *testing.T) {
				in := sdktest.New(t)
				in.CallTool("count", map[string]int{"by": 100})
			})
			if got := h.CallTool("count", map[string]int{"by": i}); got.Content != fmt.Sprintf(`{"N":%d}`, 2*i) {
				t.Errorf("%d: %+v", i, got)
			}
		})
	}
}

// A handler may start goroutines: the fake takes concurrent calls.
func TestHammer(t *testing.T) {
	h := sdktest.New(t)
	s, err := ipc.Subscribe("x.*")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 50 {
				_ = kv.Set(fmt.Sprint(i), []byte{byte(n)})
				_ = ipc.Publish("x.y", n)
				_, _ = kv.List("")
			}
		})
	}
	wg.Wait()
	env, err := s.Poll()
	if err != nil || len(env.Messages) != 400 || len(h.Published("x.*")) != 400 {
		t.Errorf("%d messages, %v", len(env.Messages), err)
	}
}
