// Command fakemcp serves package fakemcp on its standard streams.
package main

import (
	"context"
	"log"

	"github.com/unicity-astrid/astrid-go/testdata/fakemcp"
)

func main() {
	if err := fakemcp.Serve(context.Background()); err != nil {
		log.Fatal(err)
	}
}
