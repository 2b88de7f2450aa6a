package fakellm

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"strconv"
)

// Main serves a stand-in on a port of the loopback interface and prints its base address on
// the first line of the output. build makes it for the key that requests must carry.
func Main(build func(key string) http.Handler) {
	port := flag.Int("port", 0, "port on 127.0.0.1; 0 takes a free one")
	key := flag.String("key", "", "API key that requests must carry; empty takes all")
	flag.Parse()
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(*port)))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("http://%s\n", l.Addr())
	log.Fatal(http.Serve(l, build(*key)))
}
