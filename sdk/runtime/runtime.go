// Package runtime is the capsule's view of its own situation: readiness, the caller, its
// interceptors' subscriptions, capabilities of others, settings and secrets.
package runtime

import (
	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/internal/link"
	"github.com/unicity-astrid/astrid-go/sdk/internal/wire"
)

// Ready tells the kernel that the run loop is up. Boot waits for it for a short while.
func Ready() error {
	_, err := link.Call(abi.SignalReady)
	return err
}

// Caller says who sent the message that is being handled; all fields are empty elsewhere.
func Caller() (abi.Caller, error) {
	var c abi.Caller
	err := wire.Get(abi.GetCaller, &c)
	return c, err
}

// InterceptorHandles lists the subscriptions that carry a run-loop capsule's
// interceptors, in the order of the manifest. It is empty for other capsules.
func InterceptorHandles() ([]abi.InterceptorHandle, error) {
	var hs []abi.InterceptorHandle
	err := wire.Get(abi.GetInterceptorHandles, &hs)
	return hs, err
}

// AllowPromptInjection is the one capability that [HasCapability] knows.
const AllowPromptInjection = "allow_prompt_injection"

// HasCapability tells whether the capsule that published a message (by its source id)
// has a capability. Unknown capsules and names have none.
func HasCapability(sourceID, capability string) (bool, error) {
	var a abi.CapabilityAnswer
	err := wire.Ask(abi.CheckCapsuleCapability, abi.CapabilityCheck{SourceUUID: sourceID, Capability: capability}, &a)
	return a.Allowed, err
}

// Call runs any host function with raw parameters and returns the raw result. It is for
// tests of the contract; a failed call returns an *[abi.Error].
func Call(fn abi.Function, params ...[]byte) ([]byte, error) {
	p := make([]string, len(params))
	for i, b := range params {
		p[i] = link.Text(b)
	}
	return link.Call(fn, p...)
}
