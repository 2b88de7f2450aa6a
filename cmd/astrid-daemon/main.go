// Command astrid-daemon runs the kernel: it loads the capsules and serves clients on the
// socket of its home until it is told to stop.
package main

import (
	"os"

	"github.com/unicity-astrid/astrid-go/cmd/astrid-daemon/daemon"
)

func main() { os.Exit(daemon.Main(os.Args[1:], os.Stderr)) }
