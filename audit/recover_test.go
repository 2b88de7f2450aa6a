package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestRecover leaves a chain as a crash would and opens it.
func TestRecover(t *testing.T) {
	// A chain of five whose anchor is at three: the last two were written and not answered.
	setup := func(t *testing.T) (dirs, string) {
		d := newDirs(t)
		l := d.open(t, Options{})
		for i := range 3 {
			mustAppend(t, l, "alice", decision(i))
		}
		l.Close()
		name := filepath.Join(d.anchors, "alice.heads")
		old, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		l = d.open(t, Options{})
		mustAppend(t, l, "alice", decision(3))
		mustAppend(t, l, "alice", decision(4))
		l.Close()
		if err := os.WriteFile(name, old, 0o600); err != nil {
			t.Fatal(err)
		}
		return d, d.segments(t, "alice")[0]
	}
	tests := []struct {
		name    string
		do      func(b []byte) []byte
		found   State
		adopted int
		dropped bool
		broken  bool
	}{
		{"complete tail", func(b []byte) []byte { return b }, Intact, 2, false, false},
		{"torn last line", func(b []byte) []byte { return b[:len(b)-40] }, Intact, 1, true, false},
		{"only the newline missing", func(b []byte) []byte { return b[:len(b)-1] }, Intact, 1, true, false},
		{"zeros", func(b []byte) []byte { return append(b, make([]byte, 4096)...) }, Intact, 2, true, false},
		{"lines of garbage", func(b []byte) []byte { return append(b, "x\ny\n{}\n"...) }, Intact, 2, true, false},
		{"nothing beyond the anchor", func(b []byte) []byte { return cutLines(b, 3) }, Intact, 0, false, false},
		{"one line short of the anchor", func(b []byte) []byte { return cutLines(b, 2) }, Broken, 0, false, true},
		{"anchored line torn", func(b []byte) []byte { b = cutLines(b, 3); return b[:len(b)-9] }, Broken, 0, false, true},
		{"forged line beyond the anchor", func(b []byte) []byte {
			i := bytes.LastIndex(b, []byte("ws/4.txt"))
			b[i+3] = '9'
			return b
		}, Broken, 0, false, true},
		{"lines beyond the anchor swapped", func(b []byte) []byte {
			l := bytes.SplitAfter(b, []byte("\n"))
			l[3], l[4] = l[4], l[3]
			return bytes.Join(l, nil)
		}, Broken, 0, false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, name := setup(t)
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, tt.do(b), 0o600); err != nil {
				t.Fatal(err)
			}
			if r := d.verify(t); r.State() != tt.found {
				t.Fatalf("as found: %v, want %v: %v", r.State(), tt.found, r.Chains)
			}
			l := d.open(t, Options{})
			e, err := l.Append(context.Background(), "alice", decision(9))
			if tt.broken {
				if !errors.Is(err, ErrBroken) {
					t.Fatalf("append to a broken chain: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			l.Close()
			if r := d.verify(t); r.State() != Intact {
				t.Fatalf("after recovery: %v", r.Problems())
			}
			repairs := slices.Collect(repairsOf(t, d))
			if tt.adopted == 0 && !tt.dropped {
				if len(repairs) != 0 || e.Seq != 4 {
					t.Errorf("repairs %v, entry %d", repairs, e.Seq)
				}
				return
			}
			if len(repairs) != 1 || repairs[0].Adopted != tt.adopted || (repairs[0].Dropped > 0) != tt.dropped {
				t.Errorf("repairs %+v, want %d adopted, dropped %v", repairs, tt.adopted, tt.dropped)
			}
			if want := uint64(3 + tt.adopted + 2); e.Seq != want {
				t.Errorf("next entry is %d, want %d", e.Seq, want)
			}
		})
	}
}

func cutLines(b []byte, n int) []byte {
	return bytes.Join(bytes.SplitAfter(b, []byte("\n"))[:n], nil)
}

func repairsOf(t *testing.T, d dirs) func(func(repairData) bool) {
	return func(yield func(repairData) bool) {
		l := d.open(t, Options{})
		for e, err := range l.Query(context.Background(), Filter{Kinds: []Kind{KindRepair}}) {
			var r repairData
			if err == nil {
				err = json.Unmarshal(e.Data, &r)
			}
			if err != nil {
				t.Fatal(err)
			}
			if !yield(r) {
				return
			}
		}
		l.Close()
	}
}

// TestRestart gives a broken chain a new beginning and keeps the old one.
func TestRestart(t *testing.T) {
	d := chainOf(t, 10, Options{})
	f := openFile(t, d.segments(t, "alice")[1])
	os.Remove(f.name)
	names := d.segments(t, "alice")
	os.Remove(names[len(names)-1])
	l := d.open(t, Options{})
	ctx := context.Background()
	if _, err := l.Append(ctx, "alice", decision(1)); !errors.Is(err, ErrBroken) {
		t.Fatal(err)
	}
	e, err := l.Restart(ctx, "alice", "a disk was lost")
	if err != nil {
		t.Fatal(err)
	}
	var data restartData
	if err := json.Unmarshal(e.Data, &data); err != nil || e.Seq != 1 || data.LastSeq != 10 {
		t.Errorf("entry %d, data %s: %v", e.Seq, e.Data, err)
	}
	mustAppend(t, l, "alice", decision(2))
	l.Close()
	if r := d.verify(t); r.State() != Intact || r.Entries() != 2 || r.Chains[0].Notes[0].Why != Repaired {
		t.Errorf("%+v", r)
	}
	kept, err := os.ReadDir(filepath.Join(d.home, "alice", DefaultSubdir, data.Label))
	if err != nil || len(kept) != len(names)-1 {
		t.Errorf("%d segments kept, want %d: %v", len(kept), len(names)-1, err)
	}
}

// TestLocked opens one chain twice.
func TestLocked(t *testing.T) {
	d := newDirs(t)
	a, b := d.open(t, Options{}), d.open(t, Options{})
	ctx := context.Background()
	mustAppend(t, a, "alice", decision(1))
	if _, err := b.Append(ctx, "alice", decision(2)); !errors.Is(err, ErrLocked) {
		t.Fatalf("second log appended: %v", err)
	}
	mustAppend(t, b, "bob", decision(1))
	a.Close()
	if err := b.Reopen(ctx, "alice"); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, b, "alice", decision(2))
}
