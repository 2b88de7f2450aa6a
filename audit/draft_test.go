package audit

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestDraftRefused(t *testing.T) {
	l, _ := openFaulty(t, Options{})
	nan, minus := math.NaN(), -1.0
	base := decision(1)
	outcome := Draft{Kind: KindOutcome, Of: ID{6: 0x70, 8: 0x80}, Outcome: &Outcome{Status: Success}}
	record := Draft{Kind: KindRecord, Capsule: "c", Type: "t", Data: []byte(`{}`)}
	for name, tt := range map[string]struct {
		from   Draft
		change func(*Draft)
		want   error
	}{
		"kind":               {base, func(d *Draft) { d.Kind = "gossip" }, ErrInvalid},
		"no verdict":         {base, func(d *Draft) { d.Verdict = "" }, ErrInvalid},
		"verdict":            {base, func(d *Draft) { d.Verdict = "maybe" }, ErrInvalid},
		"no layer":           {base, func(d *Draft) { d.Layer = "" }, ErrInvalid},
		"no action":          {base, func(d *Draft) { d.Function, d.Action = "", "" }, ErrInvalid},
		"long resource":      {base, func(d *Draft) { d.Resource = strings.Repeat("x", MaxResource+1) }, ErrTooLarge},
		"long session":       {base, func(d *Draft) { d.Session = strings.Repeat("x", 129) }, ErrTooLarge},
		"long chain":         {base, func(d *Draft) { d.Via = make([]string, 65) }, ErrTooLarge},
		"chain not UTF-8":    {base, func(d *Draft) { d.Via = []string{"\xff"} }, ErrInvalid},
		"proof without kind": {base, func(d *Draft) { d.Proof = Proof{ID: "x"} }, ErrInvalid},
		"proof kind":         {base, func(d *Draft) { d.Proof.Kind = "luck" }, ErrInvalid},
		"cost NaN":           {base, func(d *Draft) { d.CostUSD = &nan }, ErrInvalid},
		"cost below 0":       {base, func(d *Draft) { d.CostUSD = &minus }, ErrInvalid},
		"outcome of nothing": {outcome, func(d *Draft) { d.Of = ID{} }, ErrInvalid},
		"no outcome":         {outcome, func(d *Draft) { d.Outcome = nil }, ErrInvalid},
		"status":             {outcome, func(d *Draft) { d.Outcome = &Outcome{Status: "so-so"} }, ErrInvalid},
		"event without type": {outcome, func(d *Draft) { d.Kind = KindEvent }, ErrInvalid},
		"type":               {record, func(d *Draft) { d.Type = "T" }, ErrInvalid},
		"no capsule":         {record, func(d *Draft) { d.Capsule = "" }, ErrInvalid},
		"no data":            {record, func(d *Draft) { d.Data = nil }, ErrInvalid},
		"data not JSON":      {record, func(d *Draft) { d.Data = []byte("{") }, ErrInvalid},
		"data no object":     {record, func(d *Draft) { d.Data = []byte("[]") }, ErrInvalid},
		"data not UTF-8":     {record, func(d *Draft) { d.Data = []byte("{\"\xff\":1}") }, ErrInvalid},
		"data too large":     {record, func(d *Draft) { d.Data = []byte(`{"a":"` + strings.Repeat("x", MaxData) + `"}`) }, ErrTooLarge},
		"two lines":          {record, func(d *Draft) { d.Data = []byte("{}\n{}") }, ErrInvalid},
	} {
		d := tt.from
		tt.change(&d)
		if _, err := l.Append(context.Background(), "alice", d); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	for _, p := range []string{"", "a b", "../a", "ä", strings.Repeat("a", 65)} {
		if _, err := l.Append(context.Background(), p, base); !errors.Is(err, ErrInvalid) {
			t.Errorf("principal %q: %v", p, err)
		}
	}
	if e := mustAppend(t, l, "alice", base); e.Seq != 1 {
		t.Errorf("refused drafts took %d places", e.Seq-1)
	}
}

// TestHostileText records what a guest may put into names: one line, nothing lost.
func TestHostileText(t *testing.T) {
	l, _ := openFaulty(t, Options{})
	d := decision(1)
	d.Resource = "fs:read:///a\n{\"v\":2}\x00\x1b[2J\u2028\"\\\xff\xfe/\u202e"
	d.Reason = strings.Repeat("é", MaxText)
	d.Data = []byte(`{"a":"<\u003C\\u003c&\u2028"}`)
	d.CostUSD = new(float64)
	*d.CostUSD = 1e-9
	e := mustAppend(t, l, "alice", d)
	if strings.ContainsAny(string(e.Line()), "\n\x00\x1b") || !utf8.Valid(e.Line()) || !json.Valid(e.Line()) {
		t.Errorf("line %q", e.Line())
	}
	got, err := l.Get(context.Background(), e.ID)
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.NewReplacer("\xff", `\xff`, "\xfe", `\xfe`).Replace(d.Resource); got.Resource != want {
		t.Errorf("resource %q, want %q", got.Resource, want)
	}
	if len(got.Reason) > MaxText || !utf8.ValidString(got.Reason) || !strings.HasSuffix(got.Reason, "é…") {
		t.Errorf("reason of %d bytes ends with %q", len(got.Reason), got.Reason[len(got.Reason)-9:])
	}
	if *got.CostUSD != 1e-9 || !strings.Contains(string(got.Line()), `"cost_usd":0.000000001,`) {
		t.Errorf("cost %v", *got.CostUSD)
	}
	var back Entry
	if b, err := json.Marshal(got); err != nil || json.Unmarshal(b, &back) != nil || string(back.Line()) != string(got.Line()) {
		t.Errorf("JSON %s: %v", b, err)
	}
}

// TestIDs mints ids far faster than their clock ticks.
func TestIDs(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 987654321, time.UTC)
	prev := ID{}
	for range 10_000 {
		id := mintID(at, prev)
		if string(id[:]) <= string(prev[:]) {
			t.Fatalf("%s after %s", id, prev)
		}
		if got, err := ParseID(id.String()); err != nil || got != id {
			t.Fatalf("%s: %v %v", id, got, err)
		}
		prev = id
	}
	if !prev.Time().Equal(at.Truncate(time.Millisecond)) {
		t.Errorf("time %v, want %v", prev.Time(), at)
	}
	// The counter carries over version and variant bits.
	var full ID
	full.set(0xabc, 1<<62-1)
	if next := full.next(); next.String() != "00000000-0000-7abd-8000-000000000000" {
		t.Errorf("after %s comes %s", full, next)
	}
}
