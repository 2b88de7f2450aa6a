package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

var (
	// ErrLocked says that another process has the file open.
	ErrLocked = errors.New("storage: file is in use by another process")
	// ErrCorrupt says that the file's contents cannot be trusted.
	ErrCorrupt = errors.New("storage: file is damaged")
)

// lockWait is how long opening waits for another process to let go of the file: long enough for a daemon that is
// just leaving, short enough for a human.
const lockWait = 2 * time.Second

// boltBucket holds all keys; the engine's order is the bucket's.
var boltBucket = []byte("kv")

// boltEngine keeps the state in one bbolt file. Reads run in parallel with the committer, which is the only writer.
type boltEngine struct {
	db   *bolt.DB
	path string
	hub  hub
	q    queue
	idle chan struct{} // closed when the committer has ended

	closing sync.Once
	failed  errorBox // set once the file proved damaged: from then on nothing is trusted
}

var _ Engine = (*boltEngine)(nil)

func openBolt(ctx context.Context, path string) (Engine, error) {
	if !filepath.IsAbs(path) {
		return nil, fmt.Errorf("storage: \"bolt:%s\": the path must be absolute", path)
	}
	if err := prepareFile(path); err != nil {
		return nil, err
	}
	wait := lockWait
	if at, ok := ctx.Deadline(); ok {
		wait = max(min(wait, time.Until(at)), time.Millisecond)
	}
	db, err := openBoltFile(path, &bolt.Options{Timeout: wait, FreelistType: bolt.FreelistMapType})
	if err != nil {
		return nil, err
	}
	if err := syncDir(filepath.Dir(path)); err != nil { // a new file's name must be as durable as what is written to it
		db.Close()
		return nil, fmt.Errorf("storage: make the name of %s durable: %w", path, err)
	}
	e := &boltEngine{db: db, path: path, idle: make(chan struct{})}
	e.q.init()
	go e.commitLoop()
	return e, nil
}

// prepareFile makes the directory, and refuses what bbolt would follow or trip over.
func prepareFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("storage: create the directory of %s: %w", path, err)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("storage: %w", err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("storage: %s is not a regular file: move it away", path)
	case info.Mode().Perm()&0o077 != 0:
		if err := os.Chmod(path, 0o600); err != nil {
			return fmt.Errorf("storage: %s is readable by other users and cannot be closed to them: %w", path, err)
		}
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
		return err // the others mean that this file system has no such thing
	}
	return nil
}

func openBoltFile(path string, o *bolt.Options) (db *bolt.DB, err error) {
	// bbolt checks the file's headers only; damage behind them makes it panic, or read past
	// its memory map, which would kill the process.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			db, err = nil, corrupt(path, fmt.Errorf("%v", p))
		}
	}()
	db, err = bolt.Open(path, 0o600, o)
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return nil, fmt.Errorf("%w: %s: is astrid-daemon running already? See `astrid status`, or end it with `astrid stop`", ErrLocked, path)
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum), errors.Is(err, berrors.ErrVersionMismatch):
		return nil, corrupt(path, err)
	case err != nil:
		return nil, fmt.Errorf("storage: open %s: %w", path, err)
	}
	if err := checkBolt(db); err != nil {
		db.Close()
		return nil, corrupt(path, err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		for _, name := range [][]byte{boltBucket, boltBigBucket} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		db.Close()
		return nil, fmt.Errorf("storage: write to %s: %w", path, err)
	}
	return db, nil
}

// checkBolt finds a file that was cut short: pages are read through a memory map, where touching one behind the end of
// the file would kill the process.
func checkBolt(db *bolt.DB) error {
	return db.View(func(tx *bolt.Tx) error {
		info, err := os.Stat(db.Path())
		if err != nil {
			return err
		}
		if info.Size() < tx.Size() {
			return fmt.Errorf("it should have %d bytes and has %d", tx.Size(), info.Size())
		}
		return nil
	})
}

func corrupt(path string, cause error) error {
	return fmt.Errorf("%w: %s: %v. Stop the daemon, keep a copy of the file, and restore a backup; or move it away to begin with an empty one",
		ErrCorrupt, path, cause)
}

// boltReader reads from one bbolt transaction. It marks bbolt's panics, to tell them from those of a caller's function.
type boltReader struct{ boltTables }

func markDamage() {
	if p := recover(); p != nil {
		panic(damage{p})
	}
}

func (r boltReader) get(key string) ([]byte, bool) {
	defer markDamage()
	k := []byte(key)
	val := r.kv.Get(k)
	if val == nil {
		return nil, false
	}
	return r.value(k, val), true
}

func (r boltReader) ascend(from string, values bool, visit func(string, []byte) bool) {
	defer markDamage()
	c := r.kv.Cursor()
	for k, v := c.Seek([]byte(from)); k != nil; k, v = c.Next() {
		if values {
			v = r.value(k, v)
		} else {
			v = nil
		}
		if !visit(string(k), v) {
			return
		}
	}
}

// view runs fn in a read transaction. bbolt panics where it finds a damaged page, and pages that the disk cannot deliver fault;
// both become an error, for good.
func (e *boltEngine) view(fn func(reader)) (err error) {
	if err := e.failed.get(); err != nil {
		return err
	}
	defer e.failed.guard(e.path, &err)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	err = e.db.View(func(tx *bolt.Tx) error {
		fn(boltReader{tables(tx)})
		return nil
	})
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	return err
}

func (e *boltEngine) Get(ctx context.Context, key string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := checkKey(key); err != nil {
		return nil, err
	}
	var val []byte
	err := e.view(func(r reader) {
		if v, ok := r.get(key); ok {
			val = copyOf(v)
		}
	})
	if err != nil {
		return nil, err
	}
	if val == nil {
		return nil, notFound(key)
	}
	return val, nil
}

func (e *boltEngine) Put(ctx context.Context, key string, val []byte) error {
	return e.Update(ctx, func(tx Tx) error { return tx.Put(key, val) })
}

func (e *boltEngine) Delete(ctx context.Context, key string) error {
	return e.Update(ctx, func(tx Tx) error { return tx.Delete(key) })
}

func (e *boltEngine) CompareAndSwap(ctx context.Context, key string, old, new []byte) error {
	return e.Update(ctx, swap(key, old, new))
}

func (e *boltEngine) List(ctx context.Context, prefix string) ([]string, error) {
	return list(ctx, e, prefix)
}

func (e *boltEngine) Scan(ctx context.Context, prefix string, fn func(string, []byte) error) error {
	return scan(ctx, e, prefix, fn)
}

func (e *boltEngine) Watch(ctx context.Context, prefix string) (<-chan Event, error) {
	return e.hub.watch(ctx, prefix)
}

func (e *boltEngine) Close() (err error) {
	e.closing.Do(func() {
		e.q.close()
		<-e.idle
		e.hub.close()
		if err = e.failed.get(); err != nil {
			return // bbolt may have left its locks held, and would wait for them: the file is let go when the process ends
		}
		err = e.db.Close()
	})
	return err
}
