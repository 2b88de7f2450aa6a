package host

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/host/hosttest"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/audit"
	"github.com/unicity-astrid/astrid-go/capability"
	"github.com/unicity-astrid/astrid-go/ipc"
	"github.com/unicity-astrid/astrid-go/vfs"
)

// compiled is shared by the runtimes of all tests.
var compiled = wazero.NewCompilationCache()

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// rig is a host over a real gate, signed log, bus and file trees.
type rig struct {
	t      testing.TB
	host   *Host
	gate   *approval.Interceptor
	log    *audit.Log
	bus    *ipc.Bus
	rt     wazero.Runtime
	store  *kvStore
	keys   *secrets
	people *people
	ask    func(context.Context, abi.OnboardingField) (abi.ElicitResponse, error)
	onBind func(path string) // called before the guest knows of its socket
	ws     string            // host directories
	home   string

	auditor  *failingAuditor
	programs *rigPrograms
	mu       sync.Mutex
	events   []string       // decisions and effects, in order
	logs     []string       // lines of capsules
	sent     []*ipc.Message // what was published
	answers  []json.RawMessage
}

type rigOptions struct {
	rules  approval.Rules
	limits approval.Limits
	http   HTTPLimits
	now    func() time.Time
}

func newRig(t testing.TB, o rigOptions) *rig {
	t.Helper()
	ctx := context.Background()
	r := &rig{t: t, store: &kvStore{m: map[string][]byte{}}, keys: &secrets{m: map[string]string{}}}
	r.people = &people{note: r.note, links: map[string]abi.IdentityLinkRecord{}}
	base, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	r.ws, r.home = filepath.Join(base, "ws"), filepath.Join(base, "home")
	for _, d := range []string{r.ws, r.home, filepath.Join(base, "tmp"), filepath.Join(base, "audit"), filepath.Join(base, "run")} {
		must(t, os.Mkdir(d, 0o700))
	}
	key, err := capability.NewKey(make([]byte, capability.SeedSize))
	must(t, err)
	files, err := audit.NewFileStore(filepath.Join(base, "audit"), audit.FileStoreOptions{})
	must(t, err)
	anchor, err := audit.NewSlotAnchor(filepath.Join(base, "anchor"))
	must(t, err)
	r.log, err = audit.Open(audit.Options{Store: files, Anchor: anchor, Signer: key})
	must(t, err)
	policy, err := approval.CompilePolicy(o.rules)
	must(t, err)
	budgets, err := approval.NewBudgets(ctx, o.limits, nil)
	must(t, err)
	r.auditor = &failingAuditor{AuditLog: approval.NewAuditLog(r.log), note: r.note}
	r.gate, err = approval.New(approval.Options{Auditor: r.auditor, Policy: policy, Budgets: budgets, Now: o.now})
	must(t, err)
	r.bus = ipc.NewBus(ipc.BusOptions{Now: o.now})
	overlay, err := vfs.NewOverlay(r.ws, filepath.Join(base, "upper"), vfs.OverlayOptions{})
	must(t, err)
	home, err := vfs.NewHost(r.home, vfs.HostOptions{})
	must(t, err)
	tmp, err := vfs.NewHost(filepath.Join(base, "tmp"), vfs.HostOptions{})
	must(t, err)
	r.programs = &rigPrograms{rig: r}
	r.host = New(Services{
		Processes: r.programs,
		Gate:      r.gate, Publisher: r, Bus: r.bus, Log: r, Directory: r, HTTP: o.http, Now: o.now,
		KV:      func(principal, capsule string) Space { return r.store.space(principal + ":" + capsule + ":") },
		Secrets: r.keys, Sockets: rigSockets{filepath.Join(base, "run"), r}, Identities: r.people, Asker: r,
		Files: trees{ws: watched{overlay, r.note}, home: watched{home, r.note}, tmp: watched{tmp, r.note}},
	})
	r.rt = wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCompilationCache(compiled))
	must(t, r.host.LinkNative(ctx, r.rt, func(context.Context) {}))
	must(t, r.host.LinkExtism(ctx, r.rt, func(context.Context) {}))
	t.Cleanup(func() {
		must(t, errors.Join(r.rt.Close(ctx), overlay.Close(), home.Close(), tmp.Close()))
		r.verify()
		must(t, errors.Join(r.log.Close(), anchor.Close(), files.Close(), key.Close()))
	})
	return r
}

// verify checks the signed log: every entry that a test looked at is a real one.
func (r *rig) verify() {
	rep, err := r.log.Verify(context.Background(), audit.VerifyOptions{})
	must(r.t, err)
	for _, c := range rep.Chains {
		if len(c.Problems) > 0 {
			r.t.Errorf("audit chain of %s: %v", c.Principal, c.Problems)
		}
	}
}

func (r *rig) note(event string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, event)
}

// history returns the decisions and effects so far.
func (r *rig) history() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

// decisions returns the decision entries of a principal's signed log.
func (r *rig) decisions(principal string) []audit.Entry {
	return r.entries(principal, audit.KindDecision)
}

func (r *rig) entries(principal string, kind audit.Kind) []audit.Entry {
	r.t.Helper()
	must(r.t, r.log.Flush(context.Background()))
	var out []audit.Entry
	for e, err := range r.log.Query(context.Background(), audit.Filter{Principal: principal, Kinds: []audit.Kind{kind}}) {
		must(r.t, err)
		out = append(out, e)
	}
	return out
}

// Publish, Trigger: what the dispatcher would do.
func (r *rig) Publish(ctx context.Context, m *ipc.Message) error {
	r.note("effect publish")
	r.mu.Lock()
	r.sent = append(r.sent, m)
	r.mu.Unlock()
	return r.bus.Publish(ctx, m)
}

func (r *rig) Trigger(context.Context, *Instance, *Call, string, []byte) ([]json.RawMessage, error) {
	r.note("effect trigger")
	return r.answers, nil
}

func (r *rig) CapsuleLog(principal, capsule string, level slog.Level, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.logs = append(r.logs, principal+" "+capsule+" "+level.String()+" "+text)
}

func (r *rig) HasCapability(source, capability string) bool {
	return source == "known" && capability == "allow_prompt_injection"
}

// failingAuditor is the signed log; it notes each decision and can be made to fail.
type failingAuditor struct {
	*approval.AuditLog
	note func(string)
	fail bool
}

func (a *failingAuditor) Append(ctx context.Context, rec approval.Record) (string, error) {
	if a.fail {
		return "", errors.New("disk full")
	}
	id, err := a.AuditLog.Append(ctx, rec)
	if err == nil {
		a.note("decided " + rec.Function)
	}
	return id, err
}

// watched notes what reaches a file tree.
type watched struct {
	vfs.Vfs
	note func(string)
}

func (w watched) Stat(n string) (fs.FileInfo, error) { w.note("effect stat"); return w.Vfs.Stat(n) }
func (w watched) ReadDir(n string) ([]fs.DirEntry, error) {
	w.note("effect readdir")
	return w.Vfs.ReadDir(n)
}
func (w watched) ReadFile(n string, l int64) ([]byte, error) {
	w.note("effect read")
	return w.Vfs.ReadFile(n, l)
}
func (w watched) Remove(n string) error { w.note("effect remove"); return w.Vfs.Remove(n) }
func (w watched) WriteFile(n string, b []byte, p fs.FileMode) error {
	w.note("effect write")
	return w.Vfs.WriteFile(n, b, p)
}
func (w watched) MkdirAll(n string, p fs.FileMode) error {
	w.note("effect mkdir")
	return w.Vfs.MkdirAll(n, p)
}

// trees serves the same trees to every principal and session.
type trees struct{ ws, home, tmp watched }

func (f trees) Workspace(context.Context, string, string) (vfs.Vfs, func(), error) {
	return f.ws, func() {}, nil
}
func (f trees) Home(context.Context, string) (vfs.Vfs, error) { return f.home, nil }
func (f trees) Tmp(context.Context, string) (vfs.Vfs, error)  { return f.tmp, nil }
func (f trees) ProjectTrusted(_, _, _ string) bool            { return true }

func (f trees) WorkspaceOf(context.Context, string, string) (string, error) {
	return f.ws.Root(), nil
}

// kvStore keeps all namespaces in one map.
type kvStore struct {
	mu sync.Mutex
	m  map[string][]byte
}

type kvSpace struct {
	s  *kvStore
	ns string
}

func (s *kvStore) space(ns string) Space { return kvSpace{s, ns} }

func (k kvSpace) Get(_ context.Context, key string) ([]byte, error) {
	k.s.mu.Lock()
	defer k.s.mu.Unlock()
	v, ok := k.s.m[k.ns+key]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return v, nil
}

func (k kvSpace) Put(_ context.Context, key string, val []byte) error {
	k.s.mu.Lock()
	defer k.s.mu.Unlock()
	k.s.m[k.ns+key] = val
	return nil
}

func (k kvSpace) Delete(_ context.Context, key string) error {
	k.s.mu.Lock()
	defer k.s.mu.Unlock()
	delete(k.s.m, k.ns+key)
	return nil
}

func (k kvSpace) List(_ context.Context, prefix string) ([]string, error) {
	k.s.mu.Lock()
	defer k.s.mu.Unlock()
	var out []string
	for key := range k.s.m {
		if strings.HasPrefix(key, k.ns+prefix) {
			out = append(out, strings.TrimPrefix(key, k.ns))
		}
	}
	slices.Sort(out)
	return out, nil
}

func (k kvSpace) ClearPrefix(ctx context.Context, prefix string) (int, error) {
	keys, err := k.List(ctx, prefix)
	for _, key := range keys {
		err = errors.Join(err, k.Delete(ctx, key))
	}
	return len(keys), err
}

// netRule permits one host and port, exactly or not.
type netRule struct {
	host  string
	port  int
	exact bool
}

func (n netRule) Permits(_, host string, port int) bool {
	return (n.host == "*" || n.host == host) && (n.port == 0 || n.port == port)
}
func (n netRule) Exact() bool    { return n.exact }
func (n netRule) String() string { return n.host }

// everythingGrants is what the guests of these tests declare unless they say otherwise.
func everythingGrants() Grants {
	return Grants{
		FSRead: []string{"*", "home://", "/tmp"}, FSWrite: []string{"*", "home://", "/tmp"},
		IPCPublish: []string{"t.v1.*"}, IPCSubscribe: []string{"t.v1.*"},
		NetBind: []string{"*"}, Identity: []string{"admin"}, Uplink: true,
		HostProcess: []string{"sh", "cat", "sleep", "true", "git status"},
		Source:      "Capsule.toml:7",
	}
}

func newCapsule(g Grants) *Capsule {
	return &Capsule{
		ID: "guest", SourceID: "uuid-guest", Principal: "default", Bounds: NewBounds("guest", g),
		Config: map[string]string{"greeting": "hello", "api_key": "default key"}, SecretKeys: []string{"api_key"},
	}
}

// guest is a module that makes exactly the calls the test wants.
type guest struct {
	t    testing.TB
	inst *Instance
	mod  api.Module
	call *Call
}

const guestPages = 500 // 31 MiB: three parameters of 10 MiB fit

// takeAt is where results are put.
const takeAt = 21 << 20

func (r *rig) guest(c *Capsule) *guest {
	r.t.Helper()
	var imports []hosttest.Import
	for fn := range abi.FunctionCount {
		imports = append(imports, hosttest.Native(fn, len(r.host.table[fn].params)))
	}
	inst, err := r.host.NewInstance(c, false)
	must(r.t, err)
	r.t.Cleanup(inst.Close)
	ctx := context.Background()
	m, err := r.rt.InstantiateWithConfig(ctx, hosttest.Forward(guestPages, append(imports, hosttest.Take)...), wazero.NewModuleConfig().WithName(""))
	must(r.t, err)
	return &guest{t: r.t, inst: inst, mod: m, call: &Call{Principal: "default", Session: "s1"}}
}

// raw calls an import with the given words.
func (g *guest) raw(ctx context.Context, name string, words ...uint64) uint64 {
	g.t.Helper()
	out, err := g.mod.ExportedFunction(name).Call(Enter(ctx, g.inst, g.call), words...)
	if err != nil {
		g.t.Fatalf("%s trapped: %v", name, err)
	}
	return out[0]
}

// do calls a host function with parameters that it puts into guest memory.
func (g *guest) do(fn abi.Function, params ...string) ([]byte, *abi.Error) {
	g.t.Helper()
	return g.doCtx(context.Background(), fn, params...)
}

func (g *guest) doCtx(ctx context.Context, fn abi.Function, params ...string) ([]byte, *abi.Error) {
	g.t.Helper()
	var words []uint64
	at := uint32(64)
	for _, p := range params {
		if !g.mod.Memory().WriteString(at, p) {
			g.t.Fatalf("parameter of %d bytes does not fit", len(p))
		}
		words = append(words, uint64(at), uint64(len(p)))
		at += uint32(len(p))
	}
	return g.result(g.raw(ctx, fn.String(), words...))
}

// result takes what a call parked.
func (g *guest) result(word uint64) ([]byte, *abi.Error) {
	g.t.Helper()
	code, n := abi.Code(word>>32), uint32(word)
	if n > 0 {
		room := uint64(g.mod.Memory().Size()) - takeAt
		if got := g.raw(context.Background(), abi.LinkTake, takeAt, room); got != uint64(n) {
			g.t.Fatalf("took %d bytes of %d", got, n)
		}
	}
	b, _ := g.mod.Memory().Read(takeAt, n)
	b = slices.Clone(b)
	if code != abi.OK {
		return nil, &abi.Error{Code: code, Message: string(b)}
	}
	return b, nil
}

// want calls and compares a success.
func (g *guest) want(result string, fn abi.Function, params ...string) {
	g.t.Helper()
	out, err := g.do(fn, params...)
	if err != nil {
		g.t.Fatalf("%s%q: %s: %s", fn, params, err.Code, err.Message)
	}
	if string(out) != result {
		g.t.Errorf("%s%q = %q, want %q", fn, params, out, result)
	}
}

// refused calls and compares a failure.
func (g *guest) refused(code abi.Code, text string, fn abi.Function, params ...string) {
	g.t.Helper()
	out, err := g.do(fn, params...)
	switch {
	case err == nil:
		g.t.Errorf("%s%.200q = %.200q, want %s", fn, params, out, code)
	case err.Code != code || !strings.Contains(err.Message, text):
		g.t.Errorf("%s%.200q: %s: %s\nwant %s: …%s…", fn, params, err.Code, err.Message, code, text)
	}
}
