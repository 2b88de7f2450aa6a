package audit

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// testSigner signs with a key made from a word.
type testSigner struct{ k ed25519.PrivateKey }

func newSigner(word string) testSigner {
	seed := sha256.Sum256([]byte(word))
	return testSigner{ed25519.NewKeyFromSeed(seed[:])}
}
func (s testSigner) Public() ed25519.PublicKey     { return s.k.Public().(ed25519.PublicKey) }
func (s testSigner) Sign(m []byte) ([]byte, error) { return ed25519.Sign(s.k, m), nil }

// dirs is a log on disk and where it lies.
type dirs struct{ home, anchors string }

func newDirs(t testing.TB) dirs {
	d := dirs{home: filepath.Join(t.TempDir(), "home"), anchors: filepath.Join(t.TempDir(), "anchors")}
	if err := os.MkdirAll(d.home, 0o700); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d dirs) open(t testing.TB, o Options) *Log {
	t.Helper()
	if o.Store == nil {
		s, err := NewFileStore(d.home, FileStoreOptions{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		o.Store = s
	}
	if o.Anchor == nil {
		a, err := NewSlotAnchor(d.anchors)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { a.Close() })
		o.Anchor = a
	}
	if o.Signer == nil {
		o.Signer = newSigner("runtime")
	}
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// decision is a draft as the gate makes them.
func decision(n int) Draft {
	return Draft{
		Session: "s1", Capsule: "files", Function: "astrid_read_file", Action: "fs_read",
		Resource: fmt.Sprintf("fs:read:///ws/%d.txt", n), Verdict: Allow, Layer: "policy",
		Rule: "mode guided", Source: "/home/u/.astrid/etc/config.toml:12", Proof: Proof{Kind: ProofPolicy},
	}
}

func mustAppend(t testing.TB, l *Log, principal string, d Draft) Entry {
	t.Helper()
	e, err := l.Append(context.Background(), principal, d)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestAppendLinksAndReadsBack(t *testing.T) {
	d := newDirs(t)
	l := d.open(t, Options{})
	var es []Entry
	for i := range 5 {
		es = append(es, mustAppend(t, l, "alice", decision(i)))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = d.open(t, Options{})
	es = append(es, mustAppend(t, l, "alice", decision(5)))
	i := 0
	for e, err := range l.Query(context.Background(), Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.ID != es[i].ID || string(e.Line()) != string(es[i].Line()) {
			t.Fatalf("entry %d read back as %s", i, e.Line())
		}
		if want := (Hash{}); i > 0 {
			prev := es[i-1].Line()
			if want = hashBody(prev[:len(prev)-sigLen]); e.Prev != want {
				t.Fatalf("entry %d links to %s, want %s", i, e.Prev, want)
			}
		}
		i++
	}
	if i != 6 {
		t.Fatalf("%d entries, want 6", i)
	}
	got, err := l.Get(context.Background(), es[2].ID)
	if err != nil || got.Seq != 3 {
		t.Fatalf("Get = %v, %v", got.Seq, err)
	}
}

func (d dirs) keys() []ed25519.PublicKey { return []ed25519.PublicKey{newSigner("runtime").Public()} }
