// Package build turns a capsule project into a .capsule archive.
//
// A project is a directory with a Capsule.toml and either Go source, which is compiled for WASI with the
// standard toolchain, or a WebAssembly file that another toolchain has built. The module is checked before it
// is packed: what it imports must exist, what the manifest promises must be exported. The archive is a
// function of its input: the same files and the same Go toolchain give the same bytes, wherever and whenever
// it is built. At the end the archive is installed into a scratch store, so that what is reported as built
// can be installed.
package build
