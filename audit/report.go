package audit

import (
	"fmt"
	"strings"
)

// Why names what is wrong at a place.
type Why string

// What [Verify] can find.
const (
	NotAnEntry    Why = "not an entry"    // damaged bytes
	BadSignature  Why = "bad signature"   // changed after it was signed
	ForeignKey    Why = "foreign key"     // signed by a key that is not trusted
	ForeignChain  Why = "foreign chain"   // an entry of another principal
	BrokenLink    Why = "broken link"     // does not link to the entry before it
	Missing       Why = "missing"         // entries before it are gone
	OutOfOrder    Why = "out of order"    // an entry of an earlier place
	TimeBackwards Why = "time backwards"  // earlier than the entry before it
	IDRepeated    Why = "id repeated"     // has the id of an earlier entry
	IDOrder       Why = "id out of order" // a new id that is not greater than the one before it
	Truncated     Why = "truncated"       // the log ends before the anchored entry
	HeadDiffers   Why = "head differs"    // the anchored entry is another one
	BadAnchor     Why = "bad anchor"      // the anchor is damaged or not signed by a trusted key
	StrayFile     Why = "stray file"      // a segment whose name does not fit what it holds
	Unreadable    Why = "unreadable"      // the store failed: cannot tell
	NoAnchor      Why = "no anchor"       // truncation would not show: cannot tell
	ClockBehind   Why = "clock behind"    // note: the clock had been set back
	Unanchored    Why = "beyond anchor"   // note: valid entries newer than the anchor
	TornTail      Why = "torn tail"       // note: bytes after the anchored entry that are no entries
	Repaired      Why = "repaired"        // note: the log mended a chain here
	Partial       Why = "partial"         // note: an exported part of a chain
)

// Finding is one thing found, and where.
type Finding struct {
	Principal string
	File      string // segment, or the name given for an exported file; "" for the chain as a whole
	Line      int    // in File, from 1; 0 for the file as a whole
	Index     uint64 // sequence number of the entry, or the one expected here; 0 if none
	ID        ID     // of the entry, if it can be read
	Why       Why
	Detail    string
}

func (f Finding) String() string {
	var b strings.Builder
	b.WriteString(f.Principal)
	if f.File != "" {
		fmt.Fprintf(&b, "/%s", f.File)
	}
	if f.Line > 0 {
		fmt.Fprintf(&b, " line %d", f.Line)
	}
	if f.Index > 0 {
		fmt.Fprintf(&b, " entry %d", f.Index)
	}
	fmt.Fprintf(&b, ": %s", f.Why)
	if f.Detail != "" {
		fmt.Fprintf(&b, ": %s", f.Detail)
	}
	return b.String()
}

// State is the answer of a verification. Its value is the exit code of "astrid audit verify".
type State int

// States.
const (
	Intact  State = 0
	Broken  State = 1
	Unknown State = 2 // nothing wrong was found, but something could not be checked
)

func (s State) String() string {
	switch s {
	case Intact:
		return "intact"
	case Broken:
		return "broken"
	}
	return "cannot tell"
}

// ChainReport is the verification of one principal's chain.
type ChainReport struct {
	Principal string
	Entries   int    // lines that are entries, good or bad
	LastSeq   uint64 // of the last entry in its place
	Problems  []Finding
	Doubts    []Finding // what could not be checked
	Notes     []Finding // worth knowing, and no sign of tampering
	Omitted   int       // findings beyond VerifyOptions.MaxFindings
}

// State returns the answer for this chain.
func (c *ChainReport) State() State {
	switch {
	case len(c.Problems) > 0:
		return Broken
	case len(c.Doubts) > 0:
		return Unknown
	}
	return Intact
}

// Report is the verification of chains, ascending by principal.
type Report struct{ Chains []ChainReport }

// State is the worst of the chains': broken, then cannot tell, then intact.
func (r *Report) State() State {
	worst := Intact
	for i := range r.Chains {
		switch s := r.Chains[i].State(); {
		case s == Broken:
			return Broken
		case s == Unknown:
			worst = Unknown
		}
	}
	return worst
}

// Entries is how many entries were looked at.
func (r *Report) Entries() int {
	n := 0
	for i := range r.Chains {
		n += r.Chains[i].Entries
	}
	return n
}

// Problems returns the problems of all chains.
func (r *Report) Problems() []Finding {
	var out []Finding
	for i := range r.Chains {
		out = append(out, r.Chains[i].Problems...)
	}
	return out
}
