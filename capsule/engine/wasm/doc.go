// Package wasm runs capsules as WebAssembly guests under wazero.
//
// One [Runtime] serves all capsules of a daemon: it holds the compiler, the compile
// cache and the host modules. [Runtime.Load] verifies, meters and compiles one binary
// into an [Engine]; the engine makes instances, each of which runs one call at a time.
//
// # Interruption
//
// A guest is ended by its context, wherever it is. Compiled guest code calls the yield
// function at least every millisecond (package meter); yield panics when the context of
// the call is done, and the panic ends the guest call. A guest that is blocked in a host
// function or in a WASI sleep returns from it for the same reason. An instance whose call
// ended with a trap, or was ended, is dead: its memory may be half-updated.
//
// # Contract
//
// A module may import what the host modules offer, with the same types, and nothing else: [Check] and
// [Runtime.Load] name what they refuse. One that imports from a module of Extism's is run by that
// convention, all others by the native one.
//
// # Limits
//
// Memory of an instance: Options.MemoryLimit, the initial size and Extism memory included. Its call stack lies outside of
// that: wazero lets it grow until it has more than 50 MB, by doubling, so that a guest that recurses as deep as it can
// costs 84 MB more, until its instance ends. One call of WASI reads, writes or polls at most 4,096 buffers or
// subscriptions. Time of a call:
// Options.CallDeadline, of a lifecycle call abi.LifecycleDeadline, of a run loop none. Time
// of the start function and _initialize: [InitDeadline].
//
// # Cache
//
// Compiled modules are kept between runs, with a skeleton of each to load them by, see
// code.go. The cache is never needed: what a crash left of it is made anew. It is trusted, so
// it must be the daemon's alone.
package wasm
