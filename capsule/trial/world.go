package trial

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/host"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/ipc"
	"github.com/unicity-astrid/astrid-go/vfs"
)

// world is the host of one trial. A guest has one thread and calls it one by one.
type world struct {
	bus       *ipc.Bus
	dir       string
	ws        *vfs.HostVfs
	home      *vfs.HostVfs
	tmp       *vfs.HostVfs
	kv        map[string][]byte
	secrets   map[string]string
	answers   map[string]string
	recorded  Recorded // what was not given yet
	published []*ipc.Message
	record    []string
}

func newWorld(dir string, o Options) (*world, error) {
	w := &world{bus: ipc.NewBus(ipc.BusOptions{}), dir: dir, kv: map[string][]byte{}, secrets: map[string]string{}, answers: o.Answers}
	w.recorded = o.Recorded.clone()
	for k, v := range o.KV {
		w.kv[k] = []byte(v)
	}
	for _, d := range []struct {
		name string
		to   **vfs.HostVfs
	}{{"ws", &w.ws}, {"home", &w.home}, {"tmp", &w.tmp}} {
		path := filepath.Join(dir, d.name)
		if err := os.Mkdir(path, 0o700); err != nil {
			return w, err
		}
		v, err := vfs.NewHost(path, vfs.HostOptions{})
		if err != nil {
			return w, err
		}
		*d.to = v
	}
	root, err := os.OpenRoot(filepath.Join(dir, "ws"))
	if err != nil {
		return w, err
	}
	defer root.Close()
	for name, text := range o.Files {
		if err := root.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return w, err
		}
		if err := root.WriteFile(name, []byte(text), 0o600); err != nil {
			return w, err
		}
	}
	return w, nil
}

func (w *world) close() {
	w.bus.Close()
	for _, v := range []*vfs.HostVfs{w.ws, w.home, w.tmp} {
		if v != nil {
			_ = v.Close() // its directory is deleted next
		}
	}
}

// say records a line. Paths of this machine are replaced, so that records can be compared.
func (w *world) say(format string, args ...any) {
	line := strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", `\n`)
	if real, err := filepath.EvalSymlinks(w.dir); err == nil {
		line = strings.ReplaceAll(line, real, "/trial")
	}
	w.record = append(w.record, strings.ReplaceAll(line, w.dir, "/trial"))
}

// Conceals implements host.Gate: a trial has no rules about files.
func (w *world) Conceals(string, string) bool { return false }

// Intercept allows what the manifest allows, unless it would leave the trial.
func (w *world) Intercept(_ context.Context, s approval.Subject, a approval.Action) (approval.Grant, error) {
	what := strings.TrimPrefix(a.Function, "astrid_")
	if a.Resource != "" {
		what += " " + a.Resource
	}
	if a.Class != approval.Plain || a.Resource != "" {
		if rule, err := s.Bounds.Permit(&a); err != nil {
			w.say("%s refused by the manifest (%s): %v", what, rule, err)
			return nil, abi.Errorf(abi.CodeDenied, "%v", err)
		}
	}
	if !slices.Contains([]string{"astrid_log", "astrid_ipc_publish", "astrid_trigger_hook"}, a.Function) { // they have lines of their own
		w.say("%s", what)
	}
	return granted{}, nil
}

type granted struct{}

func (granted) AuditID() string                                { return "trial" }
func (granted) Proof() string                                  { return "trial" }
func (granted) Settle(context.Context, approval.Outcome) error { return nil }

func (w *world) Publish(ctx context.Context, m *ipc.Message) error {
	w.published = append(w.published, m)
	w.say("ipc_publish %s %s", m.Topic, m.Payload.Tagged())
	return w.reply(ctx, m)
}

func (w *world) CapsuleLog(_, _ string, level slog.Level, text string) {
	w.say("log %s %s", strings.ToLower(level.String()), text)
}

func (w *world) HasCapability(string, string) bool { return false }

func (w *world) Workspace(context.Context, string, string) (vfs.Vfs, func(), error) {
	return w.ws, func() {}, nil
}
func (w *world) Home(context.Context, string) (vfs.Vfs, error) { return w.home, nil }
func (w *world) Tmp(context.Context, string) (vfs.Vfs, error)  { return w.tmp, nil }

// ProjectTrusted implements host.Files: a trial's files are the author's own.
func (w *world) ProjectTrusted(_, _, _ string) bool { return true }

func (w *world) WorkspaceOf(context.Context, string, string) (string, error) {
	return filepath.Join(w.dir, "ws"), nil
}

// The key-value space.

func (w *world) space(string, string) host.Space { return (*space)(w) }

type space world

func (s *space) Get(_ context.Context, key string) ([]byte, error) {
	v, ok := s.kv[key]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return slices.Clone(v), nil
}

func (s *space) Put(_ context.Context, key string, val []byte) error {
	s.kv[key] = slices.Clone(val)
	return nil
}

func (s *space) Delete(_ context.Context, key string) error {
	delete(s.kv, key)
	return nil
}

func (s *space) List(_ context.Context, prefix string) ([]string, error) {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(s.kv)) {
		if strings.HasPrefix(k, prefix) {
			out = append(out, k)
		}
	}
	return out, nil
}

func (s *space) ClearPrefix(_ context.Context, prefix string) (int, error) {
	before := len(s.kv)
	maps.DeleteFunc(s.kv, func(k string, _ []byte) bool { return strings.HasPrefix(k, prefix) })
	return before - len(s.kv), nil
}

// Secrets.

func (w *world) Get(_, _, name string) (string, error) {
	v, ok := w.secrets[name]
	if !ok {
		return "", fs.ErrNotExist
	}
	return v, nil
}

func (w *world) Has(_, _, name string) (bool, error) { _, ok := w.secrets[name]; return ok, nil }

func (w *world) Set(_, _, name, value string) error {
	w.secrets[name] = value
	return nil
}

func (w *world) CheckName(string) error { return nil }

// Ask answers with what was prepared.
func (w *world) Ask(_ context.Context, _, _ string, q abi.OnboardingField) (abi.ElicitResponse, error) {
	v, ok := w.answers[q.Key]
	if !ok {
		return abi.ElicitResponse{}, host.ErrNobody
	}
	return abi.ElicitResponse{Value: &v}, nil
}

// What a trial does not have.

var errAbsent = abi.Errorf(abi.CodeUnsupported, "a trial does not have this")

func (w *world) Listen(string, string) (net.Listener, error) { return nil, errAbsent }
func (w *world) Link(context.Context, string, string, string, string) (abi.IdentityLinkRecord, error) {
	return abi.IdentityLinkRecord{}, errAbsent
}
func (w *world) Unlink(context.Context, string, string) (bool, error) { return false, errAbsent }
func (w *world) CreateUser(context.Context, string) (host.User, error) {
	return host.User{}, errAbsent
}
func (w *world) Links(context.Context, string) ([]abi.IdentityLinkRecord, error) {
	return nil, errAbsent
}
