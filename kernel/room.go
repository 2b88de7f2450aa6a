package kernel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/host"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/kernel/sandbox"
	"github.com/unicity-astrid/astrid-go/vfs"
)

// room is a session's sandbox: while it is open, the kernel shows the session's overlay to the programs in it, and what guests
// write goes through the same mount.
type room struct {
	p     *processes
	key   sessionKey
	users int // guarded by processes.mu

	mu       sync.Mutex
	box      *sandbox.Box // nil: nothing is mounted
	network  bool         // its programs may use it
	overlay  *overlay
	outside  []string // files that had names outside of the workspace when it was mounted
	programs map[*program]struct{}
}

// program is a running or ended program of a room.
type program struct {
	*sandbox.Child
	argv       []string
	capsule    string
	background bool
	started    time.Time

	mu  sync.Mutex
	why error // it was ended, for this reason
}

// Exit implements host.Process.
func (q *program) Exit() (int, error) {
	e := q.Child.Exit()
	q.mu.Lock()
	defer q.mu.Unlock()
	if e.Err == nil && e.Code == -1 {
		e.Err = q.why
	}
	return e.Code, e.Err
}

// Output implements host.Process.
func (q *program) Output() (stdout, stderr host.Captured) {
	out, errs, do, de := q.Child.Output()
	return host.Captured{Bytes: out, Dropped: do}, host.Captured{Bytes: errs, Dropped: de}
}

func (q *program) end(why error) {
	q.mu.Lock()
	if q.why == nil {
		q.why = why
	}
	q.mu.Unlock()
	q.Kill()
}

func (r *room) start(ctx context.Context, c host.ProcessCommand) (*program, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.openLocked(ctx); err != nil {
		return nil, err
	}
	policy, err := r.p.policy(r.key, r.overlay.fs.Root())
	if err != nil {
		return nil, err
	}
	covered, err := concealed(policy, r.overlay.fs)
	if err != nil {
		return nil, err
	}
	for _, p := range r.outside {
		if r.overlay.fs.IsOutside(p) {
			covered = append(covered, sandbox.Covered{Path: filepath.Join(r.overlay.fs.Root(), p)})
		}
	}
	child, err := r.box.Start(sandbox.Command{
		Path: c.Program.Path, Argv: c.Argv, Stdin: c.Stdin, Interactive: c.Interactive, Network: r.network, Bare: policy.Mode() == approval.Yolo, Covered: covered,
	})
	if err != nil {
		return nil, err
	}
	q := &program{Child: child, argv: c.Argv, capsule: c.Capsule, background: c.Background, started: r.p.files.now()}
	if len(r.programs) == 0 {
		go r.watchQuota(r.overlay.fs)
	}
	r.programs[q] = struct{}{}
	return q, nil
}

// openLocked mounts the session's files, unless they are.
func (r *room) openLocked(ctx context.Context) error {
	if r.box != nil {
		select {
		case <-r.box.Gone(): // somebody killed the keeper
			if err := r.closeLocked(); err != nil {
				return err
			}
		default:
			return nil
		}
	}
	o, err := r.p.files.acquire(ctx, r.key)
	if err != nil {
		return err
	}
	opts, network, err := r.p.options(o.fs.Root())
	if err != nil {
		return errors.Join(err, r.p.files.release(r.key, o))
	}
	outside, err := linkedOutside(o.fs)
	if err != nil {
		return errors.Join(err, r.p.files.release(r.key, o))
	}
	opts.Upper, opts.Work = o.fs.UpperDir(), o.fs.WorkDir()
	var box *sandbox.Box
	mount := o.fs.Mount
	if !sandbox.SharesFiles {
		mount = func(do func() (vfs.Mounted, error)) error { return withoutChanges(o.fs, do) }
	}
	err = mount(func() (vfs.Mounted, error) {
		var err error
		if box, err = sandbox.Open(ctx, opts); err != nil {
			return vfs.Mounted{}, unsupported(err)
		}
		return vfs.Mounted{Dir: box.Dir(), Refresh: box.Refresh}, nil
	})
	if err != nil {
		if box != nil {
			err = errors.Join(err, box.Close())
		}
		return errors.Join(err, r.p.files.release(r.key, o))
	}
	r.box, r.overlay, r.network, r.outside = box, o, network, outside
	go func() { // a room without a keeper would refuse what guests write
		<-box.Gone()
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.box == box {
			if err := r.closeLocked(); err != nil {
				slog.Error("A session's files could not be unmounted", "session", r.key.session, "error", err)
			}
		}
	}()
	return nil
}

// linkedOutside lists what programs do not see because it has names outside of the workspace: the kernel would show it to them.
func linkedOutside(v *vfs.OverlayVfs) ([]string, error) {
	list, err := v.Outside()
	if err == nil && len(list) > maxConcealed {
		slices.Sort(list)
		err = abi.Errorf(abi.CodeUnsupported, "programs cannot run here: %d files in %s, as %s, have hard links outside of it, and at most %d can be kept from programs. "+
			"If these may be read, `astrid config set workspace.hard_links all`", len(list), v.Root(), list[0], maxConcealed)
	}
	return list, err
}

// withoutChanges is for systems whose programs see the workspace itself: they would work on files that the session has changed.
func withoutChanges(v *vfs.OverlayVfs, do func() (vfs.Mounted, error)) error {
	list, err := v.Changes()
	if err != nil {
		return err
	}
	if len(list) > 0 {
		return abi.Errorf(abi.CodeUnsupported, "on this system programs see the workspace as it is, and the session has changed %d files in it: "+
			"`astrid commit` or `astrid discard` them first", len(list))
	}
	_, err = do()
	return err
}

// closeLocked ends all programs and unmounts the session's files.
func (r *room) closeLocked() error {
	if r.box == nil {
		return nil
	}
	box, o := r.box, r.overlay
	r.box, r.overlay = nil, nil
	end := o.fs.Unmount
	if !sandbox.SharesFiles {
		end = func(do func() error) error { return do() }
	}
	return errors.Join(end(box.Close), r.p.files.release(r.key, o))
}

func (r *room) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closeLocked()
}

// vacate unmounts the session's files if no program runs in them; else it returns those.
func (r *room) vacate() (running []*program) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for q := range r.programs {
		running = append(running, q)
	}
	if len(running) > 0 {
		return running
	}
	if err := r.closeLocked(); err != nil {
		slog.Error("A session's files could not be unmounted", "session", r.key.session, "error", err)
	}
	return nil
}

func (r *room) forget(q *program) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.programs, q)
}

func (r *room) endAll(why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for q := range r.programs {
		q.end(why)
	}
}

func (r *room) busy() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.programs) > 0
}

// quotaEvery is how often a session's files are measured while programs run in them, at least.
const quotaEvery = 2 * time.Second

// watchQuota ends the programs of a session that writes more than it may: the kernel does not ask us before each write.
func (r *room) watchQuota(v *vfs.OverlayVfs) {
	wait := quotaEvery
	for {
		time.Sleep(wait)
		if !r.busy() {
			return
		}
		began := time.Now()
		used, err := v.Used()
		if err != nil {
			return // the tree was closed
		}
		wait = max(quotaEvery, 20*time.Since(began)) // measuring takes 5 % of the time at most
		if quota := r.p.files.quota; quota > 0 && used > quota {
			r.endAll(fmt.Errorf("it was ended: the session's changes have %d bytes, the limit is %d; commit or discard some", used, quota))
		}
	}
}
