package storage

import "errors"

// scopeTx is a scope's transaction: it renames keys and counts.
type scopeTx struct {
	s     *Scope
	base  Tx
	usage Usage
}

// held returns the length of the stored value, or -1.
func (t *scopeTx) held(full string) (int, error) {
	val, err := t.base.Get(full)
	if errors.Is(err, ErrNotFound) {
		return -1, nil
	}
	return len(val), err
}

func (t *scopeTx) Get(key string) ([]byte, error) {
	k, err := t.s.full(key)
	if err != nil {
		return nil, err
	}
	val, err := t.base.Get(k)
	if errors.Is(err, ErrNotFound) {
		return nil, notFound(key)
	}
	return val, err
}

func (t *scopeTx) Put(key string, val []byte) error {
	k, err := t.s.full(key)
	if err != nil {
		return err
	}
	held, err := t.held(k)
	if err != nil {
		return err
	}
	if err := t.base.Put(k, val); err != nil {
		return err
	}
	if held < 0 {
		t.usage.Keys++
		t.usage.Bytes += int64(len(key) + len(val))
	} else {
		t.usage.Bytes += int64(len(val) - held)
	}
	return nil
}

func (t *scopeTx) Delete(key string) error {
	k, err := t.s.full(key)
	if err != nil {
		return err
	}
	held, err := t.held(k)
	if err != nil || held < 0 {
		return err
	}
	t.usage.Keys--
	t.usage.Bytes -= int64(len(key) + held)
	return t.base.Delete(k)
}

func (t *scopeTx) Scan(prefix string, fn func(key string, val []byte) error) error {
	p, err := t.s.fullPrefix(prefix)
	if err != nil {
		return err
	}
	return t.base.Scan(p, func(key string, val []byte) error { return fn(t.s.short(key), val) })
}
