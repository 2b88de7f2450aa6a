package audit

import (
	"crypto/ed25519"
	"os"
	"strings"
	"testing"
	"time"
)

// vectors are the lines of the package comment.
func vectors(t testing.TB) (first, second Entry, head []byte) {
	seed := make([]byte, 32)
	for i := range seed {
		seed[i] = byte(i)
	}
	s := testSigner{ed25519.NewKeyFromSeed(seed)}
	key, err := signerKey(s)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(e Entry) Entry {
		d, err := e.Draft.normalize()
		if err != nil {
			t.Fatal(err)
		}
		e.Draft, e.Principal, e.Key = d, "alice", key
		sig, _ := s.Sign(appendBody([]byte(entryDomain), &e))
		copy(e.Sig[:], sig)
		return e
	}
	id := func(s string) ID {
		v, err := ParseID(s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	at := time.Date(2023, 11, 14, 22, 13, 20, 123456789, time.UTC)
	cost := 0.0125
	first = sign(Entry{
		ID: id("018bcfe5-687b-7742-8000-000000000001"), Seq: 1, Time: at,
		Draft: Draft{
			Session: "s\t1", Capsule: "http", Via: []string{"agent"}, Function: "astrid_http_request", Action: "net_request",
			Resource: "net:https://api.example.com:443/<a>&b", Verdict: Allow, Layer: "token", Rule: "net:https://api.example.com:443/**",
			Source: "/home/u/.astrid/etc/config.toml:7", Reason: "covered by a token",
			Proof: Proof{Kind: ProofToken, ID: "11111111-2222-4333-8444-555555555555", Hash: "a46594831394c4e41e673d5631f06c973eafa92164cae7f14be5ffc160adf996"},
		},
	})
	body := first.Line()
	second = sign(Entry{
		ID: id("018bcfe5-687b-7742-8000-000000000002"), Seq: 2, Time: at, Behind: 1500 * time.Millisecond, Prev: hashBody(body[:len(body)-sigLen]),
		Draft: Draft{Kind: KindOutcome, Capsule: "http", Of: first.ID, CostUSD: &cost, Outcome: &Outcome{Status: Failure, Text: "status 500"}, Data: []byte(`{"bytes":[12]}`)},
	})
	body = second.Line()
	head, err = signHead(s, &Head{Principal: "alice", Seq: 2, Hash: hashBody(body[:len(body)-sigLen]), Time: at, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	return first, second, head
}

func TestVectorsOfPackageComment(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	a, b, h := vectors(t)
	for name, line := range map[string]string{"ENTRY1": string(a.Line()), "ENTRY2": string(b.Line()), "HEAD": string(h)} {
		if !strings.Contains(string(doc), line) {
			t.Errorf("doc.go does not hold VECTOR_%s %s", name, line)
		}
		if name == "HEAD" {
			continue
		}
		e, err := DecodeLine([]byte(line))
		if err != nil || !verifySig(entryDomain, e.Key, []byte(line)[:len(line)-sigLen], e.Sig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := len(entryDomain); got != 21 {
		t.Errorf("the comment says 21 bytes, the domain has %d", got)
	}
}
