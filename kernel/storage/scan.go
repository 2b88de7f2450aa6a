package storage

import (
	"context"
	"strings"
)

// A page of a scan ends at whichever comes first. Between pages no lock and no read transaction is held, so that a long
// scan neither stops writers nor keeps the file from reusing pages, and its callback may use the engine.
const (
	pageKeys  = 256
	pageBytes = 1 << 20
)

// viewer runs fn on a consistent state that is valid until fn returns.
type viewer interface {
	view(fn func(reader)) error
}

type pair struct {
	key string
	val []byte
}

func scan(ctx context.Context, v viewer, prefix string, fn func(key string, val []byte) error) error {
	return pages(ctx, v, prefix, true, func(page []pair) error {
		for _, p := range page {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := fn(p.key, p.val); err != nil {
				return err
			}
		}
		return nil
	})
}

func list(ctx context.Context, v viewer, prefix string) ([]string, error) {
	keys := []string{}
	err := pages(ctx, v, prefix, false, func(page []pair) error {
		for _, p := range page {
			keys = append(keys, p.key)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return keys, nil
}

func pages(ctx context.Context, v viewer, prefix string, values bool, each func([]pair) error) error {
	for from, more := prefix, true; more; {
		if err := ctx.Err(); err != nil {
			return err
		}
		var page []pair
		size := 0
		more = false
		err := v.view(func(r reader) {
			r.ascend(from, values, func(key string, val []byte) bool {
				if !strings.HasPrefix(key, prefix) {
					return false
				}
				if len(page) >= pageKeys || size >= pageBytes {
					more = true
					return false
				}
				p := pair{key: strings.Clone(key)}
				if values {
					p.val = copyOf(val)
				}
				page = append(page, p)
				size += len(p.key) + len(p.val)
				return true
			})
		})
		if err != nil {
			return err
		}
		if err := each(page); err != nil {
			return err
		}
		if more {
			from = page[len(page)-1].key + "\x00" // the smallest key behind the last one
		}
	}
	return nil
}
