package wasm

import (
	"context"
	"errors"
	"fmt"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"

	"github.com/unicity-astrid/astrid-go/abi"
)

// callExtism runs an export in the Extism convention. There, a guest that fails sets an error or
// returns a code and is as good as before; one that traps is dead; and one that exits with 0 has
// succeeded, but is gone.
func (i *Instance) callExtism(ctx context.Context, export string, fn api.Function, input []byte) ([]byte, error) {
	guest := uint32(0)
	if i.mem != nil {
		guest = i.mem.Size()
	}
	if err := i.host.ExtismInput(input, guest); err != nil {
		return nil, fmt.Errorf("capsule %s: %s: %w", i.e.cap.ID, export, err)
	}
	res, err := fn.Call(i.ctx)
	err = endOf(ctx, err)
	out, failure := i.host.ExtismResult()
	var exit *sys.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 0 {
		i.left, i.mod, i.mem = true, nil, nil
		err = nil
	}
	switch {
	case err != nil && failure != "":
		return nil, i.die(export, fmt.Errorf("%s: %w", failure, err))
	case err != nil:
		return nil, i.die(export, err)
	case failure != "":
		return nil, fmt.Errorf("capsule %s: %s: %s", i.e.cap.ID, export, failure)
	case len(res) > 0 && int32(res[0]) != 0:
		return nil, fmt.Errorf("capsule %s: %s: returned non-zero exit code: %d", i.e.cap.ID, export, int32(res[0]))
	case len(out) > abi.MaxValue:
		return nil, i.tooMuch(export, uint64(len(out)))
	}
	return out, nil
}
