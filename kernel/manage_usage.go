package kernel

import (
	"context"
	"encoding/json"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/kernel/storage"
)

// listUsage is the status of every capsule with what each keeps in the key-value store, which takes a look into it.
func (k *Kernel) listUsage(ctx context.Context, _ string, raw json.RawMessage) (any, error) {
	if err := params(abi.MethodListUsage, raw, &struct{}{}); err != nil {
		return nil, err
	}
	list := k.capsuleStatus()
	for _, c := range list {
		for i := range c.Shares {
			scope, ok := k.spaces.get(c.Shares[i].Principal, c.Name).(*storage.Scope)
			if !ok {
				continue
			}
			u, err := scope.Usage(ctx)
			if err != nil {
				return nil, err
			}
			c.Shares[i].StoredKeys, c.Shares[i].StoredBytes = int(u.Keys), u.Bytes
		}
	}
	return list, nil
}
