//go:build wasip1

package link

import (
	"runtime/debug"
	"unsafe"

	"github.com/unicity-astrid/astrid-go/abi"
)

//go:wasmimport astrid_link take
//go:noescape
func take(ptr unsafe.Pointer, limit uint32) uint32

// An instance has 64 MiB in all. The collector works harder when the heap comes near
// that, rather than let the guest die with garbage it could have freed.
func init() { debug.SetMemoryLimit(44 << 20) }

func call(fn abi.Function, params []string) ([]byte, error) {
	r := dispatch(fn, params)
	b := Input(uint32(r))
	if code := abi.Code(r >> 32); code != abi.OK {
		return nil, &abi.Error{Code: code, Message: string(b)}
	}
	return b, nil
}

// Input takes the n bytes that the host has parked.
func Input(n uint32) []byte {
	if n == 0 {
		return nil
	}
	b := make([]byte, n)
	return b[:take(unsafe.Pointer(unsafe.SliceData(b)), n)]
}

// output keeps the last output alive: the host reads it after the export has returned.
var output []byte

// Output returns the result word of an export whose output is b.
func Output(b []byte) int64 {
	output = b
	if len(b) == 0 {
		return 0
	}
	return int64(uint64(uintptr(unsafe.Pointer(unsafe.SliceData(b))))<<32 | uint64(uint32(len(b))))
}
