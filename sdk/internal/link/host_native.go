//go:build !wasip1

package link

import (
	"sync/atomic"

	"github.com/unicity-astrid/astrid-go/abi"
)

var installed atomic.Pointer[Host]

// Install makes h answer all calls of this process and returns what answered before,
// nil for nothing. Passing nil removes the host.
func Install(h Host) (before Host) {
	var p *Host
	if h != nil {
		p = &h
	}
	if old := installed.Swap(p); old != nil {
		before = *old
	}
	return before
}

func call(fn abi.Function, params []string) ([]byte, error) {
	h := installed.Load()
	if h == nil {
		return nil, abi.Errorf(abi.CodeUnsupported, "%s: no host: outside a capsule, install a fake one with sdktest.New", fn)
	}
	return (*h).HostCall(fn, params...)
}
