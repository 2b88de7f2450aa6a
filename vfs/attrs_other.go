//go:build unix && !linux

package vfs

// copyAttrs copies nothing here.
func copyAttrs(int, int) {}

// Without a view of attributes a commit copies.
func plainUpper(int) bool { return false }
func plainLower(int) bool { return false }
func plainDir(int) bool   { return false }
