// Package entry holds the entry points of the capsule in this process. Package sdk
// and package runloop fill them in; the exports of a guest and package sdktest call
// them.
package entry

// The entry points. Hook, Install and Upgrade are set by package sdk, Run by
// package runloop and only if the capsule has a run loop.
var (
	Hook    func(action string, payload []byte) []byte
	Install func() error
	Upgrade func(input []byte) error
	Run     func() error

	// Check reports what is wrong with the registrations, before anything runs.
	Check func() error
)
