// Command astrid-build compiles, checks and packs a capsule project.
package main

import (
	"os"

	"github.com/unicity-astrid/astrid-go/cmd/astrid-build/build"
)

func main() {
	os.Exit(build.Run(os.Args[1:], os.Stdout, os.Stderr))
}
