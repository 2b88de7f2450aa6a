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
// compares with one caller who signs, writes and calls fsync for each entry.
func BenchmarkAppend64(b *testing.B) {
	const callers, each = 64, 50
	s := newSigner("runtime")
	var ours, theirs time.Duration
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

		f, err := os.Create(filepath.Join(b.TempDir(), "log"))
		if err != nil {
			b.Fatal(err)
		}
		start = time.Now()
		const serial = callers * each / 8
		e := Entry{Draft: decision(0), Principal: "alice"}
		for range serial {
			sig, _ := s.Sign(appendBody(nil, &e))
			copy(e.Sig[:], sig)
			e.line = nil
			if _, err := f.Write(append(e.Line(), '\n')); err != nil {
				b.Fatal(err)
			}
			if err := f.Sync(); err != nil {
				b.Fatal(err)
			}
		}
		theirs += 8 * time.Since(start)
		f.Close()
		n += callers * each
	}
	report(b, "audit_append_64", float64(n)/ours.Seconds(), "entries/s", float64(n)/theirs.Seconds())
}

// BenchmarkVerify compares the verification of a chain with as many raw signature
// verifications on all cores.
func BenchmarkVerify(b *testing.B) {
	const entries = 4000
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
