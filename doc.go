// Package astrid is the root of Astrid in Go, an operating system for AI agents. All it
// has is the source that capsules are built from: ARCHITECTURE.md says where the rest is.
// The tests of this package hold the rules that concern the tree as a whole.
package astrid
