package audit

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// slotSize is one disk sector: a write of it is not torn in practice, and if it is, the
// other slot holds the head before it.
const slotSize = 512

// maxHead bounds what is read of an anchor file, in bytes.
const maxHead = 2 * slotSize

// SlotAnchor keeps each head in a file of two slots, <dir>/<principal>.heads, written in
// turn and in place: about a hundred times cheaper than replacing a file. A head survives the
// death of the process at once and a power failure after at most a second; a chain whose
// anchor is that much older is caught up when it is opened. The directory must be another
// one than the log's, best one that nothing a guest can reach shares.
type SlotAnchor struct {
	dir   string
	every time.Duration

	mu    sync.Mutex
	files map[string]*slotFile
}

type slotFile struct {
	mu     sync.Mutex
	f      *os.File
	next   int64 // slot to write
	synced time.Time
	dirty  bool
}

// NewSlotAnchor makes the directory if needed, with mode 0700.
func NewSlotAnchor(dir string) (*SlotAnchor, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("audit: anchor directory: %w", err)
	}
	return &SlotAnchor{dir: dir, every: time.Second, files: map[string]*slotFile{}}, nil
}

func (a *SlotAnchor) path(principal string) (string, error) {
	if !ValidPrincipal(principal) {
		return "", fmt.Errorf("%w: principal %q", ErrInvalid, principal)
	}
	return filepath.Join(a.dir, principal+".heads"), nil
}

// Load implements [Anchor].
func (a *SlotAnchor) Load(_ context.Context, principal string) ([]byte, error) {
	name, err := a.path(principal)
	if err != nil {
		return nil, err
	}
	b, err := readSmall(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNoAnchor, principal)
	}
	if err != nil {
		return nil, err
	}
	head, _ := newestSlot(b)
	if head == nil {
		return nil, fmt.Errorf("%w: no head in %s", ErrBroken, name)
	}
	return head, nil
}

// newestSlot returns the line of the later of two slots and the slot's number; a torn
// slot does not count. Time decides first: a restarted chain counts from the beginning.
// Whether the head is genuine is checked by whoever uses it.
func newestSlot(b []byte) (line []byte, slot int64) {
	var newest Head
	for i := range 2 {
		s := b[min(i*slotSize, len(b)):min((i+1)*slotSize, len(b))]
		l, _, ok := bytes.Cut(s, []byte("\n"))
		if !ok {
			continue
		}
		h, err := DecodeHead(l)
		if err != nil || line != nil && cmp.Or(h.Time.Compare(newest.Time), cmp.Compare(h.Seq, newest.Seq)) < 0 {
			continue
		}
		line, slot, newest = l, int64(i), h
	}
	return line, slot
}

// Save implements [Anchor].
func (a *SlotAnchor) Save(_ context.Context, principal string, head []byte) error {
	if len(head) > slotSize || !bytes.HasSuffix(head, []byte("\n")) {
		return fmt.Errorf("%w: head of %d bytes, want a line of at most %d", ErrInvalid, len(head), slotSize)
	}
	s, err := a.file(principal)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	buf := make([]byte, slotSize)
	copy(buf, head)
	if _, err := s.f.WriteAt(buf, s.next*slotSize); err != nil {
		return err
	}
	s.next, s.dirty = 1-s.next, true
	if time.Since(s.synced) < a.every {
		return nil
	}
	return s.sync()
}

func (s *slotFile) sync() error {
	if !s.dirty {
		return nil
	}
	s.dirty, s.synced = false, time.Now()
	return s.f.Sync()
}

// file returns the open file of a principal, made on first use.
func (a *SlotAnchor) file(principal string) (*slotFile, error) {
	name, err := a.path(principal)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if s := a.files[principal]; s != nil {
		return s, nil
	}
	s := new(slotFile)
	b, err := readSmall(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		if line, slot := newestSlot(b); line != nil {
			s.next = 1 - slot // never overwrite the good one
		}
	}
	if s.f, err = os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, err
	}
	a.files[principal] = s
	return s, nil
}

// Principals implements [AnchorLister].
func (a *SlotAnchor) Principals(context.Context) ([]string, error) {
	files, err := os.ReadDir(a.dir) // sorted
	if err != nil {
		return nil, err
	}
	var out []string
	for _, f := range files {
		if p, ok := strings.CutSuffix(f.Name(), ".heads"); ok && ValidPrincipal(p) {
			out = append(out, p)
		}
	}
	return out, nil
}

// Sync makes all heads durable. [Log.Close] calls it.
func (a *SlotAnchor) Sync() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var errs []error
	for _, s := range a.files {
		s.mu.Lock()
		errs = append(errs, s.sync())
		s.mu.Unlock()
	}
	return errors.Join(errs...)
}

// Close syncs and closes the files. Use after Close opens them again.
func (a *SlotAnchor) Close() error {
	err := a.Sync()
	a.mu.Lock()
	defer a.mu.Unlock()
	for p, s := range a.files {
		err = errors.Join(err, s.f.Close())
		delete(a.files, p)
	}
	return err
}

// readSmall reads a regular file of at most maxHead bytes.
func readSmall(name string) ([]byte, error) {
	fi, err := os.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() || fi.Size() > maxHead {
		return nil, fmt.Errorf("%w: anchor %s is not a file of at most %d bytes", ErrBroken, name, maxHead)
	}
	return os.ReadFile(name)
}

var (
	_ Anchor       = (*SlotAnchor)(nil)
	_ AnchorLister = (*SlotAnchor)(nil)
)
