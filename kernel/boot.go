package kernel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/unicity-astrid/astrid-go/abi/host"
	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/capsule/engine/wasm"
	"github.com/unicity-astrid/astrid-go/ipc"
	"github.com/unicity-astrid/astrid-go/kernel/home"
	"github.com/unicity-astrid/astrid-go/kernel/secrets"
	"github.com/unicity-astrid/astrid-go/kernel/storage"
	"github.com/unicity-astrid/astrid-go/kernel/telemetry"
)

// overlayQuota bounds what one session may write, in bytes.
const overlayQuota = 4 << 30

// Boot starts a daemon. When it fails, everything it had started is stopped again.
// home.ErrLocked is wrapped when another daemon serves the home.
func Boot(ctx context.Context, o Options) (*Kernel, error) {
	o.setDefaults()
	k := &Kernel{opts: o, now: o.Now, pid: os.Getpid(), started: o.Now(), loaded: make(map[string]string), stop: make(chan string, 1), ready: make(chan struct{})}
	k.ctx, k.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	ctx, k.endBoot = context.WithCancelCause(ctx)
	defer k.endBoot(nil)
	if err := k.boot(ctx); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, errors.Join(err, k.Shutdown("boot failed"))
	}
	return k, nil
}

func (k *Kernel) boot(ctx context.Context) error {
	o := &k.opts
	if err := k.workspace(); err != nil {
		return err
	}
	if err := o.Home.Ensure(); err != nil {
		return err
	}
	var err error
	if k.lock, err = home.AcquireLock(o.Home.LockFile()); err != nil {
		return err
	}
	k.policies.load = o.LoadConfig
	if o.Config == nil {
		if o.Config, err = k.policies.load(""); err != nil {
			return err
		}
	}
	k.policies.notices = texts(o.Config.Notices)
	p, err := o.Home.Principal(home.DefaultPrincipal)
	if err != nil {
		return err
	}
	if err := p.Ensure(); err != nil {
		return err
	}
	spec := o.Config.Storage
	if spec == "" {
		spec = "bolt:" + o.Home.StateDB()
	}
	if k.store, err = storage.Open(ctx, spec); err != nil {
		return err
	}
	k.spaces.store, k.spaces.quota = k.store, storage.Quota{MaxKeys: o.Config.Limits.KVKeys, MaxBytes: o.Config.Limits.KVBytes}
	k.secrets = secrets.Open(o.Home, secrets.Options{Store: o.Config.Secrets.Store})
	users := identities{home: o.Home}
	if k.local, users.users, err = localUser(ctx, k.store, *o); err != nil {
		return err
	}
	k.logs = telemetry.NewCapsuleLogs(telemetry.CapsuleOptions{Now: k.now, RetentionDays: o.Config.Logging.RetentionDays, MaxBytesPerDay: o.Config.Logging.CapsuleBytes})
	k.files = newFiles(o.Home, k.store, o.Workspace, overlayQuota, k.now)
	k.files.links = k.policies.hardLinks
	k.files.finishInterrupted(ctx)
	if k.gate, err = openGate(ctx, o.Home, k.store, k.files, *o); err != nil {
		return err
	}
	k.presence = presence{now: k.now, linger: o.Config.Security.SessionIdle, in: map[sessionKey]*attendance{}}
	k.gate.before, k.gate.deferred = k.beforeGuarded, k.tellQueued
	k.processes = k.newProcesses()
	k.bus = ipc.NewBus(ipc.BusOptions{Now: k.now})
	k.registry = capsule.NewRegistry()
	k.dispatcher = capsule.NewDispatcher(k.registry, k.bus, capsule.DispatcherOptions{OnFailure: k.onFailure, Now: k.now})
	k.host = host.New(host.Services{
		Gate: k.gate, Publisher: publisher{k}, Bus: k.bus, KV: k.spaces.get, Secrets: k.secrets, Sockets: &sockets{home: o.Home},
		Identities: users, Asker: &k.questions, Files: k.files, Log: k, Directory: k, Processes: k.processes, Now: k.now,
		HTTP: host.HTTPLimits{Timeout: o.Config.HTTP.Timeout, StreamIdle: o.Config.HTTP.StreamIdle, MaxResponse: o.Config.HTTP.MaxResponseBytes},
	})
	k.runtime, err = wasm.NewRuntime(ctx, k.host, wasm.Options{CacheDir: o.Home.CacheDir(), CallDeadline: o.Config.Limits.CallDeadline, MemoryLimit: o.Config.Limits.GuestMemoryBytes, CPUPercent: o.Config.Limits.CPUPercent})
	if err != nil {
		return err
	}
	if err := k.serve(); err != nil {
		return err
	}
	if err := k.followCancellations(k.ctx); err != nil {
		return err
	}
	k.tasks.Go(func() { k.watchdog(k.ctx) })
	if err := k.loadAll(ctx); err != nil {
		return err
	}
	if o.Config.Capsules.Watch {
		k.tasks.Go(func() { k.watchInstalled(k.ctx) })
	}
	k.bootTook = k.now().Sub(k.started)
	close(k.ready)
	if err := o.Home.MarkReady(); err != nil {
		return err
	}
	if o.Ephemeral {
		k.tasks.Go(func() { k.leaveWhenIdle(k.ctx) })
	}
	slog.Info("Ready", "workspace", o.Workspace, "took", k.bootTook)
	k.tasks.Go(func() { k.prepare(k.ctx) })
	return nil
}

func (k *Kernel) workspace() error {
	w, err := home.DetectWorkspace(k.opts.Workspace, k.opts.Home)
	k.opts.Workspace = w.Root()
	return err
}

// serve binds the socket and starts to accept. What was left by a killed daemon is replaced.
func (k *Kernel) serve() error {
	h := k.opts.Home
	if err := h.ClearReady(); err != nil {
		return err
	}
	path, err := h.ListenPath(os.LookupEnv)
	if err != nil {
		return err
	}
	// The token comes first: whoever reaches the socket finds the token that belongs to it.
	token := home.NewToken()
	if err := home.WriteToken(h.TokenFile(), token); err != nil {
		return err
	}
	ln, err := listen(path)
	if err != nil {
		return err
	}
	k.server = newServer(k, ln, token)
	k.tasks.Go(func() { k.server.serve(k.ctx) })
	return nil
}

// Shutdown ends everything in the reverse order of boot. It works on a half-booted kernel.
func (k *Kernel) Shutdown(reason string) error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	var errs []error
	if k.server != nil {
		errs = append(errs, k.opts.Home.ClearReady(), k.server.close())
	}
	k.cancel(fmt.Errorf("daemon is shutting down: %s", reason))
	k.tasks.Wait()
	if k.registry != nil {
		k.keepNeeds()
		for _, c := range k.registry.List() {
			errs = append(errs, c.Stop(ctx))
		}
	}
	if k.bus != nil {
		k.bus.Close()
	}
	if k.runtime != nil {
		errs = append(errs, k.runtime.Close(ctx))
	}
	if k.gate != nil {
		errs = append(errs, k.gate.Close())
	}
	if k.processes != nil {
		errs = append(errs, k.processes.Close())
	}
	if k.files != nil {
		errs = append(errs, k.files.Close())
	}
	if k.logs != nil {
		errs = append(errs, k.logs.Close())
	}
	if k.store != nil {
		errs = append(errs, k.store.Close())
	}
	if k.server != nil {
		errs = append(errs, k.opts.Home.RemoveSocket(), remove(k.opts.Home.TokenFile()))
	}
	if k.lock != nil {
		errs = append(errs, k.lock.Release())
	}
	return errors.Join(errs...)
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
