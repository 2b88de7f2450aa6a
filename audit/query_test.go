package audit

import (
	"bytes"
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// mixed is a log of two principals with entries of all kinds, one minute apart.
func mixed(t *testing.T) (*Log, []Entry) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	d := newDirs(t)
	l := d.open(t, Options{SegmentSize: 1500, Now: func() time.Time { now = now.Add(time.Minute); return now }})
	var es []Entry
	add := func(p string, d Draft) Entry {
		es = append(es, mustAppend(t, l, p, d))
		return es[len(es)-1]
	}
	cost := 0.25
	for i := range 4 {
		add("alice", decision(i))
	}
	deny := decision(7)
	deny.Verdict, deny.Proof, deny.Capsule, deny.Reason = Deny, Proof{}, "shell", "outside of the workspace"
	add("bob", deny)
	dec := add("alice", decision(8))
	add("alice", Draft{Kind: KindOutcome, Of: dec.ID, Capsule: "files", Outcome: &Outcome{Status: Failure, Text: "disk full"}, CostUSD: &cost})
	add("bob", Draft{Kind: KindEvent, Type: "capsule_installed", Data: []byte(`{ "name": "files" }`)})
	add("alice", Draft{Kind: KindRecord, Capsule: "notes", Type: "note.v1", Session: "s9", Data: []byte(`{"text":"<&>\u2028"}`)})
	return l, es
}

func TestQuery(t *testing.T) {
	l, es := mixed(t)
	tests := []struct {
		name string
		f    Filter
		want []int
	}{
		{"all", Filter{}, []int{0, 1, 2, 3, 4, 5, 6, 7, 8}},
		{"principal", Filter{Principal: "bob"}, []int{4, 7}},
		{"capsule", Filter{Capsule: "shell"}, []int{4}},
		{"session", Filter{Session: "s9"}, []int{8}},
		{"kinds", Filter{Kinds: []Kind{KindOutcome, KindEvent}}, []int{6, 7}},
		{"verdict", Filter{Verdict: Deny}, []int{4}},
		{"status", Filter{Status: Failure}, []int{6}},
		{"of", Filter{Of: es[5].ID}, []int{6}},
		{"type", Filter{Type: "note.v1"}, []int{8}},
		{"function", Filter{Function: "astrid_read_file", Principal: "alice"}, []int{0, 1, 2, 3, 5}},
		{"resource", Filter{Resource: "fs:read:///ws/2.txt"}, []int{2}},
		{"since", Filter{Since: es[6].Time}, []int{6, 7, 8}},
		{"until", Filter{Until: es[2].Time}, []int{0, 1}},
		{"since and until", Filter{Since: es[2].Time, Until: es[4].Time}, []int{2, 3}},
		{"nothing", Filter{Since: es[8].Time.Add(time.Hour)}, nil},
		{"newest", Filter{Limit: 3}, []int{6, 7, 8}},
		{"newest of many files", Filter{Limit: 4, Principal: "alice", Kinds: []Kind{KindDecision}}, []int{1, 2, 3, 5}},
		{"newest, fewer", Filter{Limit: 30, Verdict: Deny}, []int{4}},
		{"oldest", Filter{Limit: 2, Oldest: true}, []int{0, 1}},
	}
	for _, tt := range tests {
		var got []int
		for e, err := range l.Query(context.Background(), tt.f) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, slices.IndexFunc(es, func(x Entry) bool { return x.ID == e.ID }))
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: entries %v, want %v", tt.name, got, tt.want)
		}
	}
	for _, e := range es {
		got, err := l.Get(context.Background(), e.ID)
		if err != nil || !bytes.Equal(got.Line(), e.Line()) {
			t.Errorf("Get(%s): %v", e.ID, err)
		}
	}
	for _, id := range []ID{{}, es[0].ID.next(), mintID(es[0].Time.Add(-time.Hour), ID{}), mintID(es[8].Time.Add(time.Hour), ID{})} {
		if _, err := l.Get(context.Background(), id); !errors.Is(err, ErrNotFound) {
			t.Errorf("Get(%s): %v", id, err)
		}
	}
}

// TestQueryGoesOnAfterDamage yields an error for a damaged line and the entries around it.
func TestQueryGoesOnAfterDamage(t *testing.T) {
	d := chainOf(t, 12, Options{})
	f := openFile(t, d.segments(t, "alice")[0])
	f.lines[1] = []byte("{}")
	f.save()
	s, err := NewFileStore(d.home, FileStoreOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	n := 0
	var bad []error
	for _, err := range NewReader(s).Query(context.Background(), Filter{}) {
		if err != nil {
			bad = append(bad, err)
		} else {
			n++
		}
	}
	var le *LineError
	if n != 11 || len(bad) != 1 || !errors.As(bad[0], &le) || le.Line != 2 {
		t.Errorf("%d entries, errors %v", n, bad)
	}
}

func TestFollow(t *testing.T) {
	for _, own := range []bool{true, false} {
		l, es := mixed(t)
		r := l.Reader
		if !own {
			r = NewReader(l.opt.Store) // as another process would
		}
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		got := make(chan Entry)
		go func() {
			defer close(got)
			for e, err := range r.Follow(ctx, Filter{Limit: 2, Principal: "alice"}) {
				if err != nil {
					if ctx.Err() == nil {
						t.Error(err)
					}
					return
				}
				got <- e
			}
		}()
		for _, want := range []int{6, 8} {
			if e := <-got; e.ID != es[want].ID {
				t.Errorf("backlog entry %s, want %s", e.ID, es[want].ID)
			}
		}
		for i := range 10 { // over several segments
			want := mustAppend(t, l, "alice", decision(i))
			mustAppend(t, l, "bob", decision(i))
			if e := <-got; e.ID != want.ID {
				t.Fatalf("followed %s (entry %d), want %s", e.ID, e.Seq, want.ID)
			}
		}
		if own { // a restarted chain is followed from its beginning
			e, err := l.Restart(context.Background(), "alice", "test")
			if err != nil {
				t.Fatal(err)
			}
			if got := <-got; got.ID != e.ID || got.Seq != 1 {
				t.Errorf("after the restart followed entry %d, want 1", got.Seq)
			}
		}
		cancel()
		if e, more := <-got; more {
			t.Errorf("entry %s after the end", e.ID)
		}
	}
}

func TestExport(t *testing.T) {
	l, es := mixed(t)
	ctx := context.Background()
	keys := VerifyOptions{Keys: dirs{}.keys()}
	export := func(f Filter) string {
		var b bytes.Buffer
		if err := l.Export(ctx, &b, l.opt.Anchor, f); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	check := func(name, text string, o VerifyOptions, want State, why Why) {
		t.Helper()
		r, err := VerifyExport(ctx, strings.NewReader(text), "x.jsonl", o)
		if err != nil {
			t.Fatal(err)
		}
		if r.State() != want || why != "" && r.Problems()[0].Why != why {
			t.Errorf("%s: %v, want %v: %+v", name, r.State(), want, r.Chains)
		}
	}
	full := export(Filter{})
	lines := strings.SplitAfter(full, "\n")
	if len(lines)-1 != len(es)+2 {
		t.Fatalf("%d lines for %d entries and two heads", len(lines)-1, len(es))
	}
	check("full", full, keys, Intact, "")
	check("alice only", export(Filter{Principal: "alice"}), keys, Intact, "")
	check("cut", strings.Join(lines[:5], ""), keys, Unknown, "")
	check("tail before the head cut", strings.Join(append(slices.Clone(lines[:6]), lines[7]), ""), keys, Broken, Truncated)
	check("an entry missing", strings.Join(append(slices.Clone(lines[:3]), lines[4:]...), ""), keys, Broken, Missing)
	check("changed", strings.Replace(full, "disk full", "disk fine", 1), keys, Broken, BadSignature)
	check("half a line", full[:len(full)-20], keys, Broken, NotAnEntry)
	check("foreign key", full, VerifyOptions{Keys: append(dirs{}.keys()[:0], newSigner("x").Public())}, Broken, ForeignKey)
	part := export(Filter{Capsule: "files"})
	check("part taken as whole", strings.Join(strings.SplitAfter(part, "\n")[1:], ""), keys, Broken, Missing)
	keys.Partial = true
	check("part", part, keys, Intact, "")
	check("part, changed", strings.Replace(part, "disk full", "disk fine", 1), keys, Broken, BadSignature)
}

// TestFileStoreRefusesLinks makes a chain a link to another one's, and a segment a link.
func TestFileStoreRefusesLinks(t *testing.T) {
	d := newDirs(t)
	l := d.open(t, Options{})
	mustAppend(t, l, "alice", decision(1))
	l.Close()
	s, err := NewFileStore(d.home, FileStoreOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	os.MkdirAll(d.home+"/bob/.local", 0o700)
	if err := os.Symlink("../../alice/.local/audit", d.home+"/bob/.local/audit"); err != nil {
		t.Skip(err)
	}
	ctx := context.Background()
	if _, err := s.Segments(ctx, "bob"); err == nil {
		t.Error("listed through a link")
	}
	if _, err := s.Append(ctx, "bob", SegmentName(1)); err == nil {
		t.Error("appended through a link")
	}
	os.Remove(d.home + "/bob/.local/audit")
	os.Mkdir(d.home+"/bob/.local/audit", 0o700)
	os.Symlink("../../../alice/.local/audit/"+SegmentName(1), d.home+"/bob/.local/audit/"+SegmentName(1))
	if _, err := s.Open(ctx, "bob", SegmentName(1)); err == nil {
		t.Error("opened a linked segment")
	}
	if _, err := s.Append(ctx, "../bob", SegmentName(1)); !errors.Is(err, ErrInvalid) {
		t.Errorf("principal with a path: %v", err)
	}
	fi, err := os.Stat(d.segments(t, "alice")[0])
	if err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("segment mode %v, %v", fi.Mode(), err)
	}
}
