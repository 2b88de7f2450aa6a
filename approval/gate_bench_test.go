package approval

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/audit"
	"github.com/unicity-astrid/astrid-go/capability"
)

// BenchmarkGateAllow compares a whole decision about an in-workspace read, its signed and
// chained entry included, with one raw ed25519 signature of a text of the entry's size.
// The log is the real one over memory: the fsync is audit_append_64's subject.
func BenchmarkGateAllow(b *testing.B) {
	key, err := capability.NewKey(make([]byte, capability.SeedSize))
	must(b, err)
	store := audit.NewMemStore()
	log, err := audit.Open(audit.Options{Store: store, Anchor: store, Signer: key})
	must(b, err)
	defer log.Close()
	tokens, err := capability.Open(capability.Options{Store: capability.NewMemStore(), Signer: key})
	must(b, err)
	i, err := New(Options{Auditor: NewAuditLog(log), Tokens: NewTokenStore(tokens)})
	must(b, err)
	s := someone
	s.Bounds = &bounds{}
	a := inWS(read("/ws/src/main.go"))
	raw := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	text := make([]byte, 600)
	const batch, rounds = 200, 30
	var gate, signature time.Duration
	for range rounds { // in turns, the best of each
		start := time.Now()
		for range batch {
			ed25519.Sign(raw, text)
		}
		signature = best(signature, time.Since(start)/batch)
		start = time.Now()
		for range batch {
			g, err := i.Intercept(context.Background(), s, a)
			if err != nil {
				b.Fatal(err)
			}
			must(b, g.Settle(context.Background(), Outcome{}))
		}
		gate = best(gate, time.Since(start)/batch)
	}
	ratio := float64(gate) / float64(signature)
	b.ReportMetric(ratio, "x-signature")
	fmt.Printf("BENCH gate_allow %d ns %d %.2f\n", gate.Nanoseconds(), signature.Nanoseconds(), ratio)
}

func best(so, d time.Duration) time.Duration {
	if so == 0 || d < so {
		return d
	}
	return so
}
