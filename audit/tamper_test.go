package audit

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// chainOf appends n entries for alice in small segments and closes the log.
func chainOf(t *testing.T, n int, o Options) dirs {
	d := newDirs(t)
	o.SegmentSize = 3000 // a handful of entries
	l := d.open(t, o)
	for i := range n {
		mustAppend(t, l, "alice", decision(i))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d dirs) segments(t testing.TB, principal string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(d.home, principal, DefaultSubdir, "*.jsonl"))
	if err != nil || len(names) == 0 {
		t.Fatal("no segments", err)
	}
	return names
}

func (d dirs) verify(t testing.TB, keys ...ed25519.PublicKey) *Report {
	t.Helper()
	s, err := NewFileStore(d.home, FileStoreOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	a, err := NewSlotAnchor(d.anchors)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if keys == nil {
		keys = []ed25519.PublicKey{newSigner("runtime").Public()}
	}
	r, err := Verify(context.Background(), s, VerifyOptions{Keys: keys, Anchor: a})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// file is a segment as lines.
type file struct {
	t     *testing.T
	name  string
	lines [][]byte
}

func openFile(t *testing.T, name string) *file {
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return &file{t, name, bytes.Split(bytes.TrimSuffix(b, []byte("\n")), []byte("\n"))}
}

func (f *file) save() {
	if err := os.WriteFile(f.name, append(bytes.Join(f.lines, []byte("\n")), '\n'), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// resign changes a line's entry and signs it with a key.
func (f *file) resign(i int, s Signer, change func(*Entry)) {
	e, err := DecodeLine(f.lines[i])
	if err != nil {
		f.t.Fatal(err)
	}
	change(&e)
	e.Key, _ = signerKey(s)
	sig, _ := s.Sign(appendBody([]byte(entryDomain), &e))
	copy(e.Sig[:], sig)
	e.line = nil
	f.lines[i] = e.Line()
}

func TestVerifyIntact(t *testing.T) {
	d := chainOf(t, 40, Options{})
	if n := len(d.segments(t, "alice")); n < 4 {
		t.Fatalf("%d segments: the test wants several", n)
	}
	r := d.verify(t)
	if r.State() != Intact || r.Entries() != 40 || r.Chains[0].LastSeq != 40 || len(r.Chains[0].Notes) != 0 {
		t.Fatalf("report %+v", r)
	}
}

// TestTamper does one thing to a chain and expects it to be found, at its place.
func TestTamper(t *testing.T) {
	runtime, other := newSigner("runtime"), newSigner("mallory")
	tests := []struct {
		name string
		do   func(t *testing.T, d dirs, second *file)
		why  Why
		line int    // in the second segment; 0: do not care
		idx  uint64 // offset from the first entry of the second segment, plus one
	}{
		{"drop an entry", func(_ *testing.T, _ dirs, f *file) { f.lines = slices.Delete(f.lines, 2, 3); f.save() }, Missing, 3, 4},
		{"drop the first of a file", func(_ *testing.T, _ dirs, f *file) { f.lines = f.lines[1:]; f.save() }, Missing, 1, 2},
		{"swap two entries", func(_ *testing.T, _ dirs, f *file) {
			f.lines[1], f.lines[2] = f.lines[2], f.lines[1]
			f.save()
		}, OutOfOrder, 3, 2},
		{"repeat an entry", func(_ *testing.T, _ dirs, f *file) { f.lines = slices.Insert(f.lines, 3, f.lines[1]); f.save() }, IDRepeated, 4, 2},
		{"sign again with another key", func(_ *testing.T, _ dirs, f *file) { f.resign(2, other, func(*Entry) {}); f.save() }, ForeignKey, 3, 3},
		{"claim the runtime's key", func(_ *testing.T, _ dirs, f *file) {
			f.resign(2, other, func(*Entry) {})
			f.lines[2] = bytes.Replace(f.lines[2], []byte(Key(other.Public()).String()), []byte(Key(runtime.Public()).String()), 1)
			f.save()
		}, BadSignature, 3, 3},
		{"change the reason, keep the signature", func(_ *testing.T, _ dirs, f *file) {
			f.lines[2] = bytes.Replace(f.lines[2], []byte("mode guided"), []byte("mode safe"), 1)
			f.save()
		}, BadSignature, 3, 3},
		{"rewrite with the runtime key", func(_ *testing.T, _ dirs, f *file) {
			f.resign(2, runtime, func(e *Entry) { e.Resource = "fs:read:///ws/nothing" })
			f.save()
		}, BrokenLink, 4, 4},
		{"link elsewhere with the runtime key", func(_ *testing.T, _ dirs, f *file) {
			f.resign(2, runtime, func(e *Entry) { e.Prev[0]++ })
			f.save()
		}, BrokenLink, 3, 3},
		{"roll back the clock", func(_ *testing.T, _ dirs, f *file) {
			f.resign(2, runtime, func(e *Entry) { e.Time = e.Time.Add(-time.Hour) })
			f.save()
		}, TimeBackwards, 3, 3},
		{"reuse an id with the runtime key", func(_ *testing.T, _ dirs, f *file) {
			e, _ := DecodeLine(f.lines[0])
			f.resign(2, runtime, func(x *Entry) { x.ID = e.ID })
			f.save()
		}, IDRepeated, 3, 3},
		{"an id from the past with the runtime key", func(_ *testing.T, _ dirs, f *file) {
			f.resign(2, runtime, func(x *Entry) { x.ID = mintID(x.Time.Add(-time.Hour), ID{}) })
			f.save()
		}, IDOrder, 3, 3},
		{"an entry of another principal", func(_ *testing.T, _ dirs, f *file) {
			f.resign(2, runtime, func(e *Entry) { e.Principal = "bob" })
			f.save()
		}, ForeignChain, 3, 3},
		{"delete a file", func(t *testing.T, _ dirs, f *file) { os.Remove(f.name) }, Missing, 0, 0},
		{"delete the first file", func(t *testing.T, d dirs, _ *file) { os.Remove(d.segments(t, "alice")[0]) }, Missing, 1, 1},
		{"rename a file", func(t *testing.T, _ dirs, f *file) {
			os.Rename(f.name, filepath.Join(filepath.Dir(f.name), SegmentName(3)))
		}, StrayFile, 0, 0},
		{"cut the last file", func(t *testing.T, d dirs, _ *file) {
			names := d.segments(t, "alice")
			f := openFile(t, names[len(names)-1])
			f.lines = f.lines[:len(f.lines)-1]
			f.save()
		}, Truncated, 0, 0},
		{"cut half a line", func(t *testing.T, d dirs, _ *file) {
			names := d.segments(t, "alice")
			f := openFile(t, names[len(names)-1])
			b := bytes.Join(f.lines, []byte("\n"))
			os.WriteFile(f.name, b[:len(b)-100], 0o600)
		}, NotAnEntry, 0, 0},
		{"delete the last file", func(t *testing.T, d dirs, _ *file) {
			names := d.segments(t, "alice")
			os.Remove(names[len(names)-1])
		}, Truncated, 0, 0},
		{"delete the log", func(t *testing.T, d dirs, _ *file) {
			for _, n := range d.segments(t, "alice") {
				os.Remove(n)
			}
		}, Truncated, 0, 0},
		{"delete the principal's home", func(_ *testing.T, d dirs, _ *file) { os.RemoveAll(filepath.Join(d.home, "alice")) }, Truncated, 0, 0},
		{"add an entry of one's own", func(t *testing.T, d dirs, _ *file) {
			names := d.segments(t, "alice")
			f := openFile(t, names[len(names)-1])
			f.lines = append(f.lines, f.lines[len(f.lines)-1])
			f.resign(len(f.lines)-1, other, func(e *Entry) { e.Seq++ })
			f.save()
		}, ForeignKey, 0, 0},
		{"cut and forge the anchor", func(t *testing.T, d dirs, _ *file) {
			names := d.segments(t, "alice")
			f := openFile(t, names[len(names)-1])
			f.lines = f.lines[:1]
			f.save()
			e, _ := DecodeLine(f.lines[0])
			h := Head{Principal: "alice", Seq: e.Seq, Hash: hashBody(f.lines[0][:len(f.lines[0])-sigLen]), Time: e.Time}
			h.Key, _ = signerKey(other)
			line, _ := signHead(other, &h)
			os.WriteFile(filepath.Join(d.anchors, "alice.heads"), append(line, '\n'), 0o600)
		}, BadAnchor, 0, 0},
		{"replace the anchored entry", func(t *testing.T, d dirs, _ *file) {
			names := d.segments(t, "alice")
			f := openFile(t, names[len(names)-1])
			f.resign(len(f.lines)-1, runtime, func(e *Entry) { e.Reason = "it was fine" })
			f.save()
		}, HeadDiffers, 0, 0},
		{"use the anchor of another", func(t *testing.T, d dirs, _ *file) {
			l := d.open(t, Options{})
			mustAppend(t, l, "bob", decision(1))
			l.Close()
			b, _ := os.ReadFile(filepath.Join(d.anchors, "bob.heads"))
			os.WriteFile(filepath.Join(d.anchors, "alice.heads"), b, 0o600)
		}, BadAnchor, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := chainOf(t, 40, Options{})
			f := openFile(t, d.segments(t, "alice")[1])
			first, _ := segmentFirst(filepath.Base(f.name))
			tt.do(t, d, f)
			r := d.verify(t)
			if r.State() != Broken {
				t.Fatalf("state %v, want broken", r.State())
			}
			ps := r.Problems()
			i := slices.IndexFunc(ps, func(p Finding) bool { return p.Why == tt.why })
			if i < 0 {
				t.Fatalf("no %q among %v", tt.why, ps)
			}
			if got := ps[i]; tt.idx > 0 && (got.Line != tt.line || got.Index != first+tt.idx-1 && tt.name != "delete the first file") {
				t.Errorf("found at line %d entry %d, want line %d entry %d: %v", got.Line, got.Index, tt.line, first+tt.idx-1, got)
			}
			if strings.Contains(tt.name, "with another key") && len(ps) != 1 {
				t.Errorf("one change, %d problems: %v", len(ps), ps)
			}
		})
	}
}

// TestEveryBitCounts flips bits all over a chain: each flip is found in the line it is in.
func TestEveryBitCounts(t *testing.T) {
	d := chainOf(t, 12, Options{})
	step := 131
	if testing.Short() {
		step = 257
	}
	for _, name := range d.segments(t, "alice") {
		orig, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for bit := 0; bit < 8*len(orig); bit += step {
			b := bytes.Clone(orig)
			b[bit/8] ^= 1 << (bit % 8)
			if err := os.WriteFile(name, b, 0o600); err != nil {
				t.Fatal(err)
			}
			r := d.verify(t)
			line := 1 + bytes.Count(orig[:bit/8], []byte("\n"))
			if r.State() != Broken || r.Problems()[0].Line != line || r.Problems()[0].File != filepath.Base(name) {
				t.Fatalf("bit %d of byte %d (line %d) flipped: %v %v", bit%8, bit/8, line, r.State(), r.Problems())
			}
		}
		if err := os.WriteFile(name, orig, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if r := d.verify(t); r.State() != Intact {
		t.Fatal(r.Problems())
	}
}

// TestCannotTell covers what is neither intact nor broken.
func TestCannotTell(t *testing.T) {
	d := chainOf(t, 3, Options{})
	if err := os.Remove(filepath.Join(d.anchors, "alice.heads")); err != nil {
		t.Fatal(err)
	}
	r := d.verify(t)
	if r.State() != Unknown || r.Chains[0].Doubts[0].Why != NoAnchor {
		t.Errorf("without anchor: %v %+v", r.State(), r.Chains)
	}
	l := d.open(t, Options{})
	if _, err := l.Append(context.Background(), "alice", decision(1)); err == nil {
		t.Error("a chain without its anchor took an entry")
	}
}

// TestOldKey verifies a chain two keys have signed, with both and with one.
func TestOldKey(t *testing.T) {
	d := newDirs(t)
	old, now := newSigner("old"), newSigner("new")
	l := d.open(t, Options{Signer: old})
	mustAppend(t, l, "alice", decision(1))
	l.Close()
	l = d.open(t, Options{Signer: now})
	if err := l.OpenChain(context.Background(), "alice"); err == nil {
		t.Fatal("a chain of an unknown key was continued")
	}
	l.Close()
	l = d.open(t, Options{Signer: now, Trusted: []ed25519.PublicKey{old.Public()}})
	mustAppend(t, l, "alice", decision(2))
	l.Close()
	if r := d.verify(t, old.Public(), now.Public()); r.State() != Intact {
		t.Error(r.Problems())
	}
	if r := d.verify(t, now.Public()); r.State() != Broken || r.Problems()[0].Why != ForeignKey {
		t.Error(r.Problems())
	}
}

// TestClockSetBack appends while the clock runs backwards: the chain stays in order and says so.
func TestClockSetBack(t *testing.T) {
	d := newDirs(t)
	now := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	l := d.open(t, Options{Now: func() time.Time { return now }})
	a := mustAppend(t, l, "alice", decision(1))
	now = now.Add(-time.Hour)
	b := mustAppend(t, l, "alice", decision(2))
	c := mustAppend(t, l, "alice", decision(3))
	if !b.Time.Equal(a.Time) || b.Behind != time.Hour || bytes.Compare(b.ID[:], a.ID[:]) <= 0 || bytes.Compare(c.ID[:], b.ID[:]) <= 0 {
		t.Errorf("entry at %v, %v behind, ids %s %s", b.Time, b.Behind, a.ID, b.ID)
	}
	l.Close()
	r := d.verify(t)
	notes := r.Chains[0].Notes
	if r.State() != Intact || len(notes) != 1 || notes[0].Why != ClockBehind || notes[0].Index != 2 {
		t.Errorf("%v, notes %v", r.State(), notes)
	}
}
