//go:build wasip1

package sdk

import (
	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/internal/entry"
	"github.com/unicity-astrid/astrid-go/sdk/internal/link"
)

//go:wasmexport astrid_hook_trigger
func exportHookTrigger(n int32) int64 {
	action, payload, err := abi.DecodeHookInput(link.Input(uint32(n)))
	if err != nil {
		return link.Output(Deny(err.Error()).encode())
	}
	return link.Output(entry.Hook(action, payload, nil))
}

//go:wasmexport astrid_install
func exportInstall(n int32) int64 {
	link.Input(uint32(n))
	return ended(entry.Install())
}

//go:wasmexport astrid_upgrade
func exportUpgrade(n int32) int64 {
	return ended(entry.Upgrade(link.Input(uint32(n))))
}

// ended traps on an error: it is the one way to make the kernel undo the installation.
// The text reaches the person through the capsule's log.
func ended(err error) int64 {
	if err != nil {
		panic(err)
	}
	return link.Output([]byte(`{"ok":true}`))
}
