package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/audit"
)

// entryPrinter writes entries as they come: one line each.
type entryPrinter struct {
	w    io.Writer
	json bool
}

// all prints a query. Damaged lines are told and skipped.
func (p *entryPrinter) all(sys System, entries iter.Seq2[audit.Entry, error]) error {
	damaged := 0
	for e, err := range entries {
		if err != nil {
			if !skippable(err) {
				return err
			}
			damaged++
			sys.notef("%s", approval.Display(err.Error()))
			continue
		}
		if err := p.print(&e); err != nil {
			return err
		}
	}
	if damaged > 0 {
		return fail(ExitError, "%d damaged line(s) were left out: see astrid audit verify", damaged)
	}
	return nil
}

func (p *entryPrinter) print(e *audit.Entry) error {
	line := string(e.Line())
	if !p.json {
		line = entryLine(e)
	}
	if _, err := fmt.Fprintln(p.w, line); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return nil
}

// entryLine is an entry on one line. The columns have fixed widths: with -f, later lines are
// not known yet.
func entryLine(e *audit.Entry) string {
	what, about, by := approval.Display(e.Function), approval.Display(e.Resource), decidedBy(e)
	if what == "" {
		what = approval.Display(e.Action)
	}
	switch e.Kind {
	case audit.KindOutcome:
		what, by = "(outcome)", "of "+e.Of.String()
		about = approval.Display(e.Outcome.Text)
	case audit.KindEvent, audit.KindRecord, audit.KindRepair:
		what = approval.Display(e.Type)
		if about == "" {
			about = approval.Display(e.Reason)
		}
		if !e.Of.IsZero() {
			by = "of " + e.Of.String()
		}
	}
	if e.CostUSD != nil {
		by = strings.TrimSpace(by + " " + money(*e.CostUSD))
	}
	return fmt.Sprintf("%s  %-7s  %-24s  %-20s  %s  %s  %s", e.Time.Local().Format("2006-01-02 15:04:05.000"), verdict(e),
		orDash(approval.Display(e.Capsule)), orDash(what), orDash(about), orDash(by), e.ID)
}

// verdict is one word for what an entry says.
func verdict(e *audit.Entry) string {
	switch {
	case e.Kind == audit.KindDecision:
		return string(e.Verdict)
	case e.Outcome != nil:
		return string(e.Outcome.Status)
	}
	return string(e.Kind)
}

func decidedBy(e *audit.Entry) string {
	by := approval.Display(e.Layer)
	if e.Rule != "" {
		by += "/" + approval.Display(e.Rule)
	}
	return by
}

// entryDetails is all of an entry.
func entryDetails(e *audit.Entry) [][2]string {
	rows := [][2]string{
		{"id", e.ID.String()},
		{"kind", string(e.Kind)},
		{"place", fmt.Sprintf("entry %d of the chain of %s", e.Seq, e.Principal)},
		{"time", e.Time.Local().Format(time.RFC3339Nano)},
		{"session", approval.Display(e.Session)},
		{"capsule", approval.Display(e.Capsule)},
		{"via", approval.Display(strings.Join(e.Via, " → "))},
		{"function", approval.Display(e.Function)},
		{"action", approval.Display(e.Action)},
		{"resource", approval.Display(e.Resource)},
		{"verdict", string(e.Verdict)},
		{"layer", approval.Display(e.Layer)},
		{"rule", approval.Display(e.Rule)},
		{"set in", approval.Display(e.Source)},
		{"reason", approval.Display(e.Reason)},
		{"proof", proofText(e.Proof)},
		{"type", approval.Display(e.Type)},
	}
	if e.CostUSD != nil {
		rows = append(rows, [2]string{"cost", money(*e.CostUSD)})
	}
	if !e.Of.IsZero() {
		rows = append(rows, [2]string{"of", e.Of.String()})
	}
	if o := e.Outcome; o != nil {
		rows = append(rows, [2]string{"outcome", strings.TrimSpace(string(o.Status) + " " + approval.Display(o.Text))})
	}
	if len(e.Data) > 0 {
		rows = append(rows, [2]string{"data", approval.Display(string(e.Data))})
	}
	if e.Behind > 0 {
		rows = append(rows, [2]string{"clock", "was " + e.Behind.String() + " behind the entry before"})
	}
	return append(rows, [2]string{"previous", e.Prev.String()}, [2]string{"signed by", e.Key.String()})
}

func proofText(p audit.Proof) string {
	if p.Kind == "" {
		return ""
	}
	s := string(p.Kind)
	if p.ID != "" {
		s += " " + approval.Display(p.ID)
	}
	if p.By != "" {
		s += " by " + approval.Display(p.By)
	}
	if p.Hash != "" {
		s += " (content hash " + approval.Display(p.Hash) + ")"
	}
	return s
}

// decisionData is what the gate keeps in a decision besides the fields of every entry.
type decisionData struct {
	Granted   string `json:"granted"`
	RequestID string `json:"request_id"`
	Risk      string `json:"risk"`
	Method    string `json:"method"`
}

func dataOf(e *audit.Entry) decisionData {
	var d decisionData
	if e.Kind == audit.KindDecision && len(e.Data) > 0 {
		_ = json.Unmarshal(e.Data, &d) // of another shape: there is nothing to tell
	}
	return d
}
