package audit

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"
)

// report prints a line for "make bench".
func report(b *testing.B, name string, value float64, unit string, ref float64) {
	b.ReportMetric(value, unit)
	b.ReportMetric(value/ref, "ratio")
	fmt.Printf("BENCH %s %.0f %s %.0f %.2f\n", name, value, unit, ref, value/ref)
}

// BenchmarkAppend64 has 64 callers append, each waiting until its entry is durable, and
// compares with one caller who does for each entry what a commit does for many: sign it, write
// it, fsync, sign the head and store it in the anchor.
//
// Each entry is signed by itself, so no way of committing gives more entries than all cores
// give signatures: the second line says how near to that bound it comes. Where a signature
// takes s on each of n cores and an fsync f, the first ratio cannot exceed n(2s+f)/s.
func BenchmarkAppend64(b *testing.B) {
	const callers, each = 64, 50
	s := newSigner("runtime")
	var ours, theirs, signing time.Duration
	n := 0
	for b.Loop() {
		d := newDirs(b)
		l := d.open(b, Options{Signer: s})
		if err := l.OpenChain(context.Background(), "alice"); err != nil {
			b.Fatal(err)
		}
		start := time.Now()
		var wg sync.WaitGroup
		for range callers {
			wg.Go(func() {
				for i := range each {
					if _, err := l.Append(context.Background(), "alice", decision(i)); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		ours += time.Since(start)
		l.Close()
		theirs += 8 * oneByOne(b, s, callers*each/8)
		signing += signAll(s, callers*each)
		n += callers * each
	}
	rate := float64(n) / ours.Seconds()
	report(b, "audit_append_64", rate, "entries/s", float64(n)/theirs.Seconds())
	report(b, "audit_append_64_signing", rate, "entries/s", float64(n)/signing.Seconds())
}

// oneByOne makes n entries durable, one after the other, and says how long it took.
func oneByOne(b *testing.B, s testSigner, n int) time.Duration {
	f, err := os.Create(filepath.Join(b.TempDir(), "log"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	anchor, err := NewSlotAnchor(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer anchor.Close()
	start := time.Now()
	e := Entry{Draft: decision(0), Principal: "alice"}
	for range n {
		body := appendBody([]byte(entryDomain), &e)
		e.Prev = hashBody(body[len(entryDomain):])
		e.Seq++
		sig, _ := s.Sign(body)
		line := append(appendSig(body, sig)[len(entryDomain):], '\n')
		if _, err := f.Write(line); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
		head, err := signHead(s, &Head{Principal: "alice", Seq: e.Seq, Hash: e.Prev})
		if err != nil {
			b.Fatal(err)
		}
		if err := anchor.Save(context.Background(), "alice", append(head, '\n')); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(start)
}

// signAll makes n signatures on all cores and says how long it took.
func signAll(s testSigner, n int) time.Duration {
	msg := appendBody([]byte(entryDomain), &Entry{Draft: decision(0), Principal: "alice"})
	cores := runtime.GOMAXPROCS(0)
	start := time.Now()
	var wg sync.WaitGroup
	for range cores {
		wg.Go(func() {
			for range n / cores {
				_, _ = s.Sign(msg) // the test's signer has no errors
			}
		})
	}
	wg.Wait()
	return time.Since(start)
}

// BenchmarkVerify compares the verification of a chain with as many raw signature
// verifications on all cores.
func BenchmarkVerify(b *testing.B) {
	const entries = 100_000
	store := NewMemStore()
	s := newSigner("runtime")
	l, err := Open(Options{Store: store, Anchor: store, Signer: s})
	if err != nil {
		b.Fatal(err)
	}
	lag := decision(1)
	lag.MayLag = true
	for range entries {
		if _, err := l.Append(context.Background(), "alice", lag); err != nil {
			b.Fatal(err)
		}
	}
	l.Close()
	line := (&Entry{Draft: decision(1), Principal: "alice"}).Line()
	sig, _ := s.Sign(line)
	var ours, theirs time.Duration
	n := 0
	for b.Loop() {
		start := time.Now()
		r, err := Verify(context.Background(), store, VerifyOptions{Keys: []ed25519.PublicKey{s.Public()}, Anchor: store})
		if err != nil || r.State() != Intact || r.Entries() != entries {
			b.Fatal(err, r)
		}
		ours += time.Since(start)
		start = time.Now()
		var wg sync.WaitGroup
		cores := runtime.GOMAXPROCS(0)
		for range cores {
			wg.Go(func() {
				for range entries / cores {
					if !ed25519.Verify(s.Public(), line, sig) {
						b.Error("bad signature")
					}
				}
			})
		}
		wg.Wait()
		theirs += time.Since(start)
		n += entries
	}
	report(b, "audit_verify", float64(n)/ours.Seconds(), "entries/s", float64(n)/theirs.Seconds())
}

// BenchmarkAppendLag is what an entry adds to the path of a read inside the workspace,
// compared with one raw signature.
func BenchmarkAppendLag(b *testing.B) {
	d := newDirs(b)
	s := newSigner("runtime")
	l := d.open(b, Options{Signer: s, MaxLag: time.Minute})
	lag := decision(1)
	lag.MayLag = true
	msg := make([]byte, 600)
	var theirs time.Duration
	if _, err := l.Append(context.Background(), "alice", lag); err != nil { // opens the chain
		b.Fatal(err)
	}
	const n = 2000
	start := time.Now()
	for range n {
		if _, err := l.Append(context.Background(), "alice", lag); err != nil {
			b.Fatal(err)
		}
	}
	ours := time.Since(start)
	start = time.Now()
	for range n {
		if _, err := s.Sign(msg); err != nil {
			b.Fatal(err)
		}
	}
	theirs = time.Since(start)
	report(b, "audit_append_lag", float64(ours.Nanoseconds())/n, "ns/entry", float64(theirs.Nanoseconds())/n)
}
