//go:build !linux && !darwin

package sandbox

import (
	"context"
	"runtime"
)

// SharesFiles: there is no sandbox here.
const SharesFiles = false

// Box does not exist here: Open fails.
type Box struct{}

func missing() *unavailable {
	return &unavailable{"there is no sandbox for " + runtime.GOOS, "Use Linux with bubblewrap, or macOS"}
}

// Open fails with ErrUnavailable.
func Open(context.Context, Options) (*Box, error) { return nil, missing() }

// Dir, Gone, Refresh, Start and Close are never reached.
func (b *Box) Dir() string                   { return "" }
func (b *Box) Gone() <-chan struct{}         { return nil }
func (b *Box) Refresh() error                { return missing() }
func (b *Box) Start(Command) (*Child, error) { return nil, missing() }
func (b *Box) Close() error                  { return nil }

// Probe says that there is nothing.
func Probe(context.Context) Report {
	return Report{Problem: missing().reason, Remedy: missing().remedy}
}
