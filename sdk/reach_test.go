package sdk_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk"
	"github.com/unicity-astrid/astrid-go/sdk/approval"
	"github.com/unicity-astrid/astrid-go/sdk/env"
	"github.com/unicity-astrid/astrid-go/sdk/fs"
	"github.com/unicity-astrid/astrid-go/sdk/hooks"
	sdkhttp "github.com/unicity-astrid/astrid-go/sdk/http"
	"github.com/unicity-astrid/astrid-go/sdk/identity"
	"github.com/unicity-astrid/astrid-go/sdk/internal/link"
	"github.com/unicity-astrid/astrid-go/sdk/ipc"
	"github.com/unicity-astrid/astrid-go/sdk/kv"
	"github.com/unicity-astrid/astrid-go/sdk/log"
	"github.com/unicity-astrid/astrid-go/sdk/net"
	"github.com/unicity-astrid/astrid-go/sdk/process"
	"github.com/unicity-astrid/astrid-go/sdk/runtime"
	"github.com/unicity-astrid/astrid-go/sdk/sdktest"
	sdktime "github.com/unicity-astrid/astrid-go/sdk/time"
	"github.com/unicity-astrid/astrid-go/sdk/uplink"
)

// witness notes which functions are called on their way to another host.
type witness struct {
	link.Host
	seen map[abi.Function]bool
}

func (w *witness) HostCall(fn abi.Function, params ...string) ([]byte, error) {
	w.seen[fn] = true
	return w.Host.HostCall(fn, params...)
}

// TestReach drives each function of the contract through the sdk's own API, with
// answers that the API must understand.
func TestReach(t *testing.T) {
	h := sdktest.New(t)
	h.HTTP = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })
	h.Process = func(abi.ProcessRequest) (abi.ProcessResult, error) { return abi.ProcessResult{}, nil }
	h.Approve = func(abi.ApprovalRequest) bool { return true }
	h.Connect()
	h.Connect()
	w := &witness{h, map[abi.Function]bool{}}
	link.Install(w)
	defer link.Install(h)

	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	// Files.
	must(fs.MkdirAll("d"))
	must(fs.WriteFile("d/f", []byte("x")))
	_, err := fs.ReadFile("d/f")
	must(err)
	_, err = fs.Exists("d/f")
	must(err)
	_, err = fs.Stat("d/f")
	must(err)
	_, err = fs.ReadDir("d")
	must(err)
	must(fs.Remove("d/f"))
	// Bus.
	s, err := ipc.Subscribe("a.*")
	must(err)
	must(ipc.Publish("a.b", 1))
	_, err = s.Poll()
	must(err)
	_, err = s.Recv(time.Millisecond)
	must(err)
	must(s.Close())
	_, err = hooks.Trigger("a.hook", nil)
	must(err)
	// Store and settings.
	must(kv.Set("k", nil))
	_, err = kv.Get("k")
	must(err)
	must(kv.Delete("k"))
	_, err = kv.List("")
	must(err)
	_, err = kv.Clear("")
	must(err)
	env.Get("k")
	_, err = runtime.HasSecret("k")
	must(err)
	_, err = runtime.Elicit(abi.ElicitRequest{Type: "text", Key: "k"})
	if err == nil {
		t.Error("a question outside the lifecycle was answered")
	}
	// Runtime.
	log.Info("hello")
	sdktime.Now()
	must(runtime.Ready())
	(&sdk.Context{}).Principal()
	_, err = runtime.InterceptorHandles()
	must(err)
	_, err = runtime.HasCapability("x", runtime.AllowPromptInjection)
	must(err)
	_, err = approval.Request("do", "it", approval.Low)
	must(err)
	// Network.
	_, err = sdkhttp.Get("https://example.org")
	must(err)
	st, err := sdkhttp.Open(&sdkhttp.Request{URL: "https://example.org"})
	must(err)
	_, _ = st.Next() // io.EOF
	must(st.Close())
	l, err := net.Listen("system.sock")
	must(err)
	_, err = l.Poll()
	must(err)
	c, err := l.Accept()
	must(err)
	must(c.WriteFrame([]byte("x")))
	if _, err = c.ReadFrame(); err != net.ErrNoFrame {
		t.Error(err)
	}
	must(c.Close())
	// Programs.
	_, err = process.Run("true")
	must(err)
	p, err := process.Start("true")
	must(err)
	_, err = p.Logs()
	must(err)
	_, err = p.Kill()
	must(err)
	// People.
	u, err := uplink.Register("n", "p", uplink.Chat)
	must(err)
	_, err = u.Send("1", "hi")
	must(err)
	id, err := identity.CreateUser("Ida")
	must(err)
	_, err = identity.Link("p", "1", id, "code")
	must(err)
	who, ok, err := identity.Resolve("p", "1")
	must(err)
	if !ok || who.ID != id || who.DisplayName != "Ida" {
		t.Errorf("resolved %+v %v", who, ok)
	}
	_, err = identity.Links(id)
	must(err)
	_, err = identity.Unlink("p", "1")
	must(err)

	for fn := range abi.FunctionCount {
		if !w.seen[fn] {
			t.Errorf("%s is not reachable from the sdk", fn)
		}
	}
}
