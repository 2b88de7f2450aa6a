// Package store installs, checks and removes capsules on disk.
//
// A store is a directory with one sub-directory per capsule, named after it. Whatever is installed is first
// staged beside it, on the same file system, checked as a whole, and then swapped in by rename: readers see
// the previous state or the new one. The WebAssembly binary is kept apart, in a directory shared by all
// stores, under the hash of its content. The BLAKE3 hash of every installed file is recorded in meta.json.
//
// Packages are hostile until checked. Archives and directories may hold only regular files and directories
// below their root; links, devices, names that differ only in case, and anything beyond the limits are
// refused, and nothing is ever written outside the staging directory. A lifecycle hook runs against the
// staged copy and may not change it.
//
// Changes to one store exclude each other by a file lock, also between processes. What a crash leaves behind
// begins with a dot, is ignored by every scan, and is cleaned up by Recover.
package store
