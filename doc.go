// Package astrid is the root of Astrid in Go, an operating system for AI agents. There is
// no code here: ARCHITECTURE.md says where things are. The tests of this package hold the
// rules that concern the tree as a whole.
package astrid
