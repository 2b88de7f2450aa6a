package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// Limits of a draft. Text for people is cut to fit; anything that identifies what
// happened is refused instead, because half a resource names another one.
const (
	MaxResource = 16 << 10  // bytes of a resource string
	MaxText     = 4 << 10   // bytes of a reason or outcome text
	MaxData     = 16 << 10  // bytes of the JSON of an event or record, compacted
	MaxLine     = 256 << 10 // bytes of an entry
	maxName     = 128
	maxRule     = 1 << 10
	maxSource   = 4<<10 + 16
	maxVia      = 64
)

// normalize returns d ready to be encoded, or says what is wrong with it.
func (d Draft) normalize() (Draft, error) {
	if d.Kind == "" {
		d.Kind = KindDecision
	}
	if d.Reason != "" {
		d.Reason = cut(printable(d.Reason))
	}
	if d.Outcome != nil {
		o := *d.Outcome
		o.Text = cut(printable(o.Text))
		d.Outcome = &o
	}
	for _, f := range []struct {
		name string
		s    *string
		max  int
	}{
		{"session", &d.Session, maxName}, {"capsule", &d.Capsule, maxName},
		{"function", &d.Function, maxName}, {"action", &d.Action, maxName},
		{"resource", &d.Resource, MaxResource}, {"layer", &d.Layer, maxName},
		{"rule", &d.Rule, maxRule}, {"source", &d.Source, maxSource},
		{"proof id", &d.Proof.ID, maxName}, {"proof hash", &d.Proof.Hash, maxName}, {"proof by", &d.Proof.By, maxName},
	} {
		if len(*f.s) > f.max {
			return d, fmt.Errorf("%w: %s has %d bytes, limit %d", ErrTooLarge, f.name, len(*f.s), f.max)
		}
		*f.s = printable(*f.s)
	}
	if len(d.Via) > maxVia {
		return d, fmt.Errorf("%w: call chain of %d, limit %d", ErrTooLarge, len(d.Via), maxVia)
	}
	for _, v := range d.Via {
		if len(v) > maxName || !utf8.ValidString(v) {
			return d, fmt.Errorf("%w: name %q in call chain", ErrInvalid, v)
		}
	}
	if len(d.Data) > 0 {
		var b bytes.Buffer
		if err := json.Compact(&b, d.Data); err != nil {
			return d, fmt.Errorf("%w: data: %v", ErrInvalid, err)
		}
		d.Data = unescapeHTML(b.Bytes())
	}
	return d, d.check()
}

// check holds for each entry, written or read.
func (d *Draft) check() error {
	if d.CostUSD != nil && !(*d.CostUSD >= 0 && *d.CostUSD <= math.MaxFloat64) {
		return fmt.Errorf("%w: cost %v", ErrInvalid, *d.CostUSD)
	}
	if len(d.Data) > 0 {
		if len(d.Data) > MaxData {
			return fmt.Errorf("%w: data has %d bytes, limit %d", ErrTooLarge, len(d.Data), MaxData)
		}
		if d.Data[0] != '{' || !utf8.Valid(d.Data) {
			return fmt.Errorf("%w: data is not a JSON object in UTF-8", ErrInvalid)
		}
	}
	if d.Type != "" && !validType(d.Type) {
		return fmt.Errorf("%w: type %q, want 1 to 64 of a-z 0-9 . _ -", ErrInvalid, d.Type)
	}
	if d.Outcome != nil && d.Outcome.Status != Success && d.Outcome.Status != Failure {
		return fmt.Errorf("%w: outcome status %q", ErrInvalid, d.Outcome.Status)
	}
	switch d.Proof.Kind {
	case ProofPolicy, ProofToken, ProofAllowance, ProofApproval, ProofSystem:
	case "":
		if d.Proof != (Proof{}) {
			return fmt.Errorf("%w: proof without kind", ErrInvalid)
		}
	default:
		return fmt.Errorf("%w: proof kind %q", ErrInvalid, d.Proof.Kind)
	}
	switch d.Verdict {
	case "", Allow, Deny, Defer:
	default:
		return fmt.Errorf("%w: verdict %q", ErrInvalid, d.Verdict)
	}
	return d.checkKind()
}

func (d *Draft) checkKind() error {
	missing := ""
	switch d.Kind {
	case KindDecision:
		switch {
		case d.Verdict == "":
			missing = "verdict"
		case d.Layer == "":
			missing = "layer"
		case d.Function == "" && d.Action == "":
			missing = "function or action"
		}
	case KindOutcome:
		switch {
		case d.Of.IsZero():
			missing = "decision it belongs to"
		case d.Outcome == nil:
			missing = "outcome"
		}
	case KindEvent, KindRepair:
		if d.Type == "" {
			missing = "type"
		}
	case KindRecord:
		switch {
		case d.Type == "":
			missing = "type"
		case d.Capsule == "":
			missing = "capsule"
		case len(d.Data) == 0:
			missing = "data"
		}
	default:
		return fmt.Errorf("%w: kind %q", ErrInvalid, d.Kind)
	}
	if missing != "" {
		return fmt.Errorf("%w: %s without %s", ErrInvalid, d.Kind, missing)
	}
	return nil
}

func validType(s string) bool {
	for _, c := range []byte(s) {
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-') {
			return false
		}
	}
	return len(s) > 0 && len(s) <= 64
}

// ValidPrincipal reports whether p can own a chain: 1 to 64 of A-Z a-z 0-9 _ -.
func ValidPrincipal(p string) bool {
	for _, c := range []byte(p) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-') {
			return false
		}
	}
	return len(p) > 0 && len(p) <= 64
}

// printable replaces bytes that are not UTF-8 (a file name may hold any) by \xNN, so that
// two different names stay different in the log.
func printable(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			fmt.Fprintf(&b, `\x%02x`, s[i])
		} else {
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

// cut shortens text for people to MaxText bytes, on a character boundary.
func cut(s string) string {
	const mark = "…"
	if len(s) <= MaxText {
		return s
	}
	n := MaxText - len(mark)
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + mark
}
