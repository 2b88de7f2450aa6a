package host

import (
	"context"
	"net/http"
	"sync"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
)

// TestHammerClose: an instance may be closed at any moment of its guest's work; nothing
// stays open, and each grant is settled.
func TestHammerClose(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("x")) })
	r := newRig(t, autonomous())
	c := newCapsule(Grants{IPCSubscribe: []string{"t.v1.a"}, Net: []NetRule{s.rule}})
	defer c.Bounds.transport().CloseIdleConnections()
	var wg sync.WaitGroup
	for range 4 {
		for range 25 {
			inst, err := r.host.NewInstance(c, false)
			must(t, err)
			ctx, cancel := context.WithCancel(context.Background())
			f := frameOf(Enter(ctx, inst, &Call{Principal: "default"}))
			begun := make(chan struct{})
			wg.Go(func() {
				close(begun)
				for range 5 {
					out, _ := r.host.invoke(ctx, f, abi.IpcSubscribe, [][]byte{[]byte("t.v1.a")})
					_, _ = r.host.invoke(ctx, f, abi.IpcRecv, [][]byte{out, []byte("1")})
					_, _ = r.host.invoke(ctx, f, abi.HTTPStreamStart, [][]byte{[]byte(reqJSON(s.URL))})
					_, _ = r.host.invoke(ctx, f, abi.HTTPStreamRead, [][]byte{[]byte("1")})
					_, _ = r.host.invoke(ctx, f, abi.HTTPStreamClose, [][]byte{[]byte("1")})
					_, _ = r.host.invoke(ctx, f, abi.IpcUnsubscribe, [][]byte{out})
				}
			})
			<-begun
			wg.Go(func() { inst.Close(); cancel() })
			wg.Go(inst.Close)
		}
		wg.Wait()
	}
	if n := r.bus.Stats().Subscriptions; n != 0 {
		t.Errorf("%d subscriptions are left", n)
	}
}

// TestHammerCalls: instances of one capsule call side by side.
func TestHammerCalls(t *testing.T) {
	r := newRig(t, rigOptions{rules: approval.Rules{Mode: approval.Autonomous}})
	c := newCapsule(everythingGrants())
	var wg sync.WaitGroup
	for n := range 4 {
		g := r.guest(c)
		name := string(rune('a' + n))
		wg.Go(func() {
			for range 30 {
				for _, p := range [][]string{{"home://" + name, name}, {name, name}} {
					if _, err := g.do(abi.WriteFile, p...); err != nil {
						t.Errorf("%s: %s", err.Code, err.Message)
					}
					if out, err := g.do(abi.ReadFile, p[0]); err != nil || string(out) != name {
						t.Errorf("%q %v", out, err)
					}
				}
			}
		})
	}
	wg.Wait()
	if n := len(r.decisions("default")); n != 4*30*4 {
		t.Errorf("%d decisions, want %d", n, 4*30*4)
	}
}
