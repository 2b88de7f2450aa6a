//go:build wasip1

package runloop

import (
	"errors"

	"github.com/unicity-astrid/astrid-go/sdk/internal/entry"
	"github.com/unicity-astrid/astrid-go/sdk/internal/link"
)

//go:wasmexport run
func exportRun(n int32) int64 {
	link.Input(uint32(n))
	if entry.Run == nil {
		panic(errors.New("the capsule imports runloop but registers no run loop"))
	}
	if err := entry.Run(); err != nil {
		panic(err)
	}
	return 0
}
