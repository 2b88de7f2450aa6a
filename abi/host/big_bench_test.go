package host

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/host/hosttest"
	"github.com/unicity-astrid/astrid-go/approval"
)

// BenchmarkHostileSizes makes calls as large as they may be while garbage is collected, and shows the longest that the
// collector waited: BENCH gc_stop_call_<function> <ns> ns 5000000 <ratio>.
func BenchmarkHostileSizes(b *testing.B) {
	big := strings.Repeat("x", abi.MaxValue)
	quoted := strings.Repeat("\n", abi.MaxValue) // twice as long as JSON
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(quoted)) }))
	defer server.Close()
	u, err := url.Parse(server.URL)
	must(b, err)
	r := newRig(b, rigOptions{rules: approval.Rules{Mode: approval.Autonomous}, http: HTTPLimits{MaxResponse: abi.MaxValue}})
	grants := everythingGrants()
	grants.Net = []NetRule{netRule{u.Hostname(), portOf(u), true}}
	must(b, os.WriteFile(filepath.Join(r.ws, "big"), []byte(big), 0o600))
	g := r.guest(newCapsule(grants))
	request := fmt.Sprintf(`{"url":%q}`, server.URL)
	payload := `{"type":"custom","data":{"k":"` + strings.Repeat("x", abi.MaxPublish-100) + `"}}`
	for _, c := range []struct {
		fn     abi.Function
		params []string
	}{
		{abi.ClockMs, nil}, {abi.KvSet, []string{"k", big}}, {abi.KvGet, []string{"k"}}, {abi.ReadFile, []string{"big"}}, {abi.WriteFile, []string{"f", big}},
		{abi.HTTPRequestFn, []string{request}}, {abi.HTTPRequestFn, []string{request[:len(request)-1] + `,"method":"POST","body":"` + big[:abi.MaxValue-200] + `"}`}},
		{abi.IpcPublish, []string{"t.v1.a", payload}},
	} {
		args := make([][]byte, len(c.params))
		for i, p := range c.params {
			args[i] = []byte(p)
		}
		refused := 0
		longest := hosttest.CollectorStop(4, func() {
			for began := time.Now(); time.Since(began) < 500*time.Millisecond; {
				ctx := Enter(context.Background(), g.inst, g.call)
				out, e := r.host.invoke(ctx, frameOf(ctx), c.fn, args)
				if e != nil {
					if refused++; e.Code != abi.CodeLimit {
						b.Fatal(e.Message)
					}
				}
				g.inst.parked = out
				g.raw(context.Background(), abi.LinkTake, 0, 30<<20)
			}
		})
		fmt.Printf("BENCH gc_stop_call_%s %d ns %d %.3f\n", strings.TrimPrefix(c.fn.String(), "astrid_"), longest.Nanoseconds(), 5_000_000, float64(longest)/5e6)
	}
}
