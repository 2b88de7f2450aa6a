package audit_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"log"

	"github.com/unicity-astrid/astrid-go/audit"
)

type signer struct{ key ed25519.PrivateKey }

func (s signer) Public() ed25519.PublicKey           { return s.key.Public().(ed25519.PublicKey) }
func (s signer) Sign(message []byte) ([]byte, error) { return ed25519.Sign(s.key, message), nil }

// A decision is recorded before its effect; the outcome because the effect failed. Then
// both explain what happened, and the chain is verified.
func Example() {
	ctx := context.Background()
	store := audit.NewMemStore() // NewFileStore and NewSlotAnchor in earnest
	l, err := audit.Open(audit.Options{Store: store, Anchor: store, Signer: signer{ed25519.NewKeyFromSeed(make([]byte, 32))}})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()

	decision, err := l.Append(ctx, "alice", audit.Draft{
		Session: "s1", Capsule: "files", Function: "astrid_write_file", Action: "fs_write", Resource: "fs:write:///ws/a.txt",
		Verdict: audit.Allow, Layer: "policy", Rule: "mode guided", Source: "/home/alice/.astrid/etc/config.toml:12",
		Proof: audit.Proof{Kind: audit.ProofPolicy},
	})
	if err != nil {
		return // not recorded: not done
	}
	if _, err := l.Append(ctx, "alice", audit.Draft{
		Kind: audit.KindOutcome, Of: decision.ID, Outcome: &audit.Outcome{Status: audit.Failure, Text: "disk full"},
	}); err != nil {
		log.Fatal(err)
	}

	e, err := l.Get(ctx, decision.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s %s by %s (%s)\n", e.Verdict, e.Resource, e.Rule, e.Source)
	for o, err := range l.Query(ctx, audit.Filter{Of: decision.ID}) {
		fmt.Println(o.Outcome.Status, o.Outcome.Text, err)
	}
	report, err := l.Verify(ctx, audit.VerifyOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report.State(), report.Entries())
	// Output:
	// allow fs:write:///ws/a.txt by mode guided (/home/alice/.astrid/etc/config.toml:12)
	// failure disk full <nil>
	// intact 2
}
