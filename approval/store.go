package approval

import "context"

// Store keeps what outlives the process: budgets, allowances and queued requests, each under its own key
// prefix. kernel/storage engines satisfy it. Put is durable when it returns; Delete of an absent key is no error.
type Store interface {
	Put(ctx context.Context, key string, val []byte) error
	Delete(ctx context.Context, key string) error
	Scan(ctx context.Context, prefix string, fn func(key string, val []byte) error) error
}

// Key prefixes in the Store. Values are JSON.
const (
	budgetPrefix    = "approval/budget/"
	allowancePrefix = "approval/allowance/"
	deferredPrefix  = "approval/deferred/"
)

// memory is the Store of options without one: it keeps nothing, and nothing outlives the process.
type memory struct{}

func (memory) Put(context.Context, string, []byte) error                      { return nil }
func (memory) Delete(context.Context, string) error                           { return nil }
func (memory) Scan(context.Context, string, func(string, []byte) error) error { return nil }
