// Package hosttest makes WebAssembly guests for tests of the contract: small modules,
// assembled by hand, that do what no toolchain would emit.
package hosttest
