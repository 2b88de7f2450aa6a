package doctor

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/capsule/store"
	"github.com/unicity-astrid/astrid-go/kernel/home"
)

// capsules checks every installed byte and what is not configured.
func (r *report) capsules() {
	p, err := r.o.Home.Principal(home.DefaultPrincipal)
	if err != nil {
		r.fail("capsules", err, "")
		return
	}
	s := store.Store{Dir: p.CapsulesDir(), BinDir: r.o.Home.BinDir(), WitDir: r.o.Home.WitDir()}
	list, err := s.List()
	if err != nil {
		r.fail("capsules", err, "")
		return
	}
	if len(list) == 0 {
		r.add("capsules", Warn, "none are installed", "run: astrid init")
		return
	}
	damaged := 0
	for _, i := range list {
		if err := s.Verify(i.Name); err != nil {
			damaged++
			r.fail("capsules", err, "install it again: astrid init, or astrid capsule install")
		}
	}
	if damaged == 0 {
		r.add("capsules", OK, fmt.Sprintf("%d installed, every byte as recorded", len(list)), "")
	}
	if r.o.Outdated == nil {
		return
	}
	if old, err := r.o.Outdated(p); err != nil {
		r.fail("distribution", err, "")
	} else if old != "" {
		r.add("distribution", Warn, old, "run: "+r.o.OutdatedFix)
	}
}

// dialTimeout is how long a host may take to answer.
const dialTimeout = 3 * time.Second

// providers tries the hosts that model providers are configured for, without sending anything.
func (r *report) providers(ctx context.Context) {
	p, err := r.o.Home.Principal(home.DefaultPrincipal)
	if err != nil {
		return // capsules has said it
	}
	list, err := store.List(p.CapsulesDir())
	if err != nil {
		return // capsules has said it
	}
	disabled, err := store.State{Dir: filepath.Join(p.Root(), store.StateDir)}.Disabled()
	if err != nil {
		r.fail("providers", err, "")
		return
	}
	found := false
	for _, i := range list {
		if i.Manifest == nil || disabled[i.Name] || !exports(i.Manifest, "llm") {
			continue
		}
		found = true
		r.provider(ctx, p, i.Manifest)
	}
	if !found {
		r.add("providers", Warn, "no capsule offers a model", "run: astrid init --provider NAME")
	}
}

func exports(m *capsule.Manifest, name string) bool {
	for _, e := range m.Exports {
		if e.Interface.Name == name {
			return true
		}
	}
	return false
}

func (r *report) provider(ctx context.Context, p home.Principal, m *capsule.Manifest) {
	name := strings.TrimPrefix(m.ID(), "astrid-capsule-")
	set, err := capsule.Settings{Principal: p.Name(), Home: p.Root(), Secrets: r.store()}.Look(m)
	if err != nil {
		r.fail("provider "+name, err, "")
		return
	}
	env, missing, err := m.ResolveEnv(set)
	if err != nil {
		r.fail("provider "+name, err, "run: astrid capsule update "+name+" --set KEY=VALUE")
		return
	}
	if len(missing) > 0 {
		r.add("provider "+name, Fail, "it is not configured: "+strings.Join(missing, ", "), "run: astrid init --provider "+name)
		return
	}
	rules, err := m.Capabilities.ResolveNet(env)
	if err != nil {
		r.fail("provider "+name, err, "")
		return
	}
	if len(rules) == 0 {
		r.add("provider "+name, OK, "works without a network", "")
		return
	}
	if r.o.Offline {
		r.add("provider "+name, Skip, "not tried: --offline", "")
		return
	}
	var wg sync.WaitGroup
	results := make([]Result, len(rules))
	for n, rule := range rules {
		wg.Go(func() { results[n] = reach(ctx, "provider "+name, rule) })
	}
	wg.Wait()
	r.results = append(r.results, results...)
}

// reach opens a connection to the host of a rule and closes it again.
func reach(ctx context.Context, check string, rule capsule.NetRule) Result {
	if rule.Host == "*" || rule.Only {
		return Result{check, Skip, "it may reach " + rule.String() + ": there is no one host to try", ""}
	}
	port := rule.Port
	if port == 0 {
		if port = 443; rule.Scheme == "http" {
			port = 80
		}
	}
	addr := net.JoinHostPort(rule.Host, strconv.Itoa(port))
	d := net.Dialer{Timeout: dialTimeout}
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return Result{check, Warn, fmt.Sprintf("%s cannot be reached: %v", addr, err), "is the server running and the network up?"}
	}
	if err := conn.Close(); err != nil {
		return Result{check, Warn, fmt.Sprintf("%s: %v", addr, err), ""}
	}
	return Result{check, OK, addr + " answers", ""}
}
