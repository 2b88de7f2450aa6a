// Command astrid talks to the Astrid daemon: prompts, sessions, capsules and settings.
package main

import (
	"os"

	"github.com/unicity-astrid/astrid-go/cmd/astrid/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], cli.OS())) }
