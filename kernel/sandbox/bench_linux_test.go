package sandbox

import (
	"fmt"
	"os/exec"
	"testing"
	"time"
)

// BenchmarkSpawn compares running true in the sandbox with running it bare.
func BenchmarkSpawn(b *testing.B) {
	needBox(b)
	box := newWorld(b).open()
	const n = 30
	bare, boxed := time.Duration(0), time.Duration(0)
	for range n { // in turn, so that both meet the same machine
		began := time.Now()
		ok(b, exec.Command("/bin/true").Run())
		bare += time.Since(began)
		began = time.Now()
		c, err := box.Start(Command{Path: "/bin/true"})
		ok(b, err)
		<-c.Done()
		ok(b, c.Exit().Err)
		boxed += time.Since(began)
	}
	fmt.Printf("BENCH sandbox_spawn %.1f ms %.1f %.1f\n", ms(boxed)/n, ms(bare)/n, ms(boxed)/ms(bare))
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
