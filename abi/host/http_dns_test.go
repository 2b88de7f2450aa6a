package host

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/unicity-astrid/astrid-go/abi"
)

// nameServer answers all names with the addresses of the moment, and is the one that is asked until the test ends.
func nameServer(t *testing.T) (answers *atomic.Pointer[[]netip.Addr], asked *atomic.Int32) {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	answers, asked = new(atomic.Pointer[[]netip.Addr]), new(atomic.Int32)
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return // closed
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) == 0 {
				continue
			}
			asked.Add(1)
			q := m.Questions[0]
			m.Response, m.Authoritative, m.Additionals = true, true, nil
			for _, a := range *answers.Load() {
				h := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: dnsmessage.ClassINET}
				switch {
				case a.Is4() && q.Type == dnsmessage.TypeA:
					m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: a.As4()}})
				case a.Is6() && q.Type == dnsmessage.TypeAAAA:
					m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
				}
			}
			if b, err := m.Pack(); err == nil {
				_, _ = pc.WriteTo(b, from) // who asked asks again
			}
		}
	}()
	before := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", pc.LocalAddr().String())
	}}
	t.Cleanup(func() {
		net.DefaultResolver = before
		pc.Close()
	})
	return answers, asked
}

// TestRebinding: what a name stands for is looked at when it is dialled. A name that was harmless, or that is
// harmless beside, opens nothing; nor does a rule that names it exactly.
func TestRebinding(t *testing.T) {
	hit := false
	s := serve(t, func(http.ResponseWriter, *http.Request) { hit = true })
	answers, asked := nameServer(t)
	r := newRig(t, autonomous())
	for name, rule := range map[string]netRule{"any": {host: "*"}, "exact": {"rebind.example.org", s.rule.port, true}} {
		g := r.surfer(rule)
		for _, to := range []string{"127.0.0.1", "::1", "::ffff:127.0.0.1", "0.0.0.0", "169.254.169.254"} {
			// A first answer that leads nowhere, then one that leads here.
			for _, list := range [][]netip.Addr{{netip.MustParseAddr(to)}, {netip.MustParseAddr("169.254.0.9"), netip.MustParseAddr(to)}} {
				before := asked.Load()
				answers.Store(&list)
				u := fmt.Sprintf("http://rebind.example.org:%d/", s.rule.port)
				g.refused(abi.CodeDenied, "private or local", abi.HTTPRequestFn, reqJSON(u))
				g.refused(abi.CodeDenied, "private or local", abi.HTTPStreamStart, reqJSON(u))
				if asked.Load() == before {
					t.Errorf("%s: the name was not looked up again", name)
				}
			}
		}
	}
	if hit {
		t.Error("the server was reached")
	}
}
