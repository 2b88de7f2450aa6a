//go:build darwin || freebsd || openbsd || netbsd || dragonfly

package home

// maxSocketPath is the size of sun_path with its final zero.
const maxSocketPath = 104
