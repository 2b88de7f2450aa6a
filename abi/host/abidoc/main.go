// Command abidoc prints the table of host functions as the code has it.
package main

import (
	"fmt"
	"os"

	"github.com/unicity-astrid/astrid-go/abi/host"
)

func main() {
	if err := host.WriteTable(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "abidoc:", err)
		os.Exit(1)
	}
}
