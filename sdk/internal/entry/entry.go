// Package entry holds the entry points of the capsule in this process. Package sdk
// and package runloop fill them in; the exports of a guest and package sdktest call
// them.
package entry

import "github.com/unicity-astrid/astrid-go/abi"

// The entry points. Hook, Install and Upgrade are set by package sdk, Run by
// package runloop and only if the capsule has a run loop. Hook is given the caller when
// it is known already; nil makes the handler ask the host.
var (
	Hook    func(action string, payload []byte, from *abi.Caller) []byte
	Install func() error
	Upgrade func(input []byte) error
	Run     func() error

	// Check reports what is wrong with the registrations, before anything runs.
	Check func() error
)
