package audit

import (
	"encoding/json"
	"time"
)

// Kind says what an entry records.
type Kind string

// Kinds of entries.
const (
	KindDecision Kind = "decision" // the gate decided about an action, before its effect
	KindOutcome  Kind = "outcome"  // how the action of an earlier decision ended
	KindEvent    Kind = "event"    // something the kernel did: a capsule installed, a token minted
	KindRecord   Kind = "record"   // a governed record a capsule asked for
	KindRepair   Kind = "repair"   // written by the log itself: what it found and mended when it opened a chain
)

// Verdict is the answer of a decision.
type Verdict string

// Verdicts.
const (
	Allow Verdict = "allow"
	Deny  Verdict = "deny"
	Defer Verdict = "defer" // nobody was there to ask; queued
)

// ProofKind says what allowed an action.
type ProofKind string

// Kinds of authorization proof.
const (
	ProofPolicy    ProofKind = "policy"    // policy and mode allow it without more
	ProofToken     ProofKind = "token"     // a capability token; ID is the token's, Hash its content hash
	ProofAllowance ProofKind = "allowance" // an earlier approval that covers this; ID is the allowance's
	ProofApproval  ProofKind = "approval"  // a human said yes now; ID is the request's, By who answered
	ProofSystem    ProofKind = "system"    // the kernel acted for itself
)

// Proof is the authorization of an allowed action. The zero value means none, as in a denial.
type Proof struct {
	Kind ProofKind
	ID   string // at most 128 bytes
	Hash string // at most 128 bytes, lower-case hex of what ID names
	By   string // at most 128 bytes: the client or user that answered
}

// Status is how an effect ended.
type Status string

// Statuses of an outcome.
const (
	Success Status = "success"
	Failure Status = "failure"
)

// Outcome is how an effect ended.
type Outcome struct {
	Status Status
	Text   string // error or details; cut to [MaxText] bytes
}

// Draft is what a caller wants recorded. The log adds the rest.
//
// Which fields a kind needs: a decision Verdict, Layer and one of Function, Action; an
// outcome Of and Outcome; an event and a repair Type; a record Capsule, Type and Data.
// All others are optional, and left out of the entry when empty.
type Draft struct {
	Kind     Kind     // "" means KindDecision
	Session  string   // at most 128 bytes
	Capsule  string   // package name of the actor; "" for the kernel or a client
	Via      []string // capsules the call came through, outermost first
	Function string   // host function
	Action   string   // kind of action: fs_read, net_request …
	Resource string   // resource string of the action, made by the host; at most [MaxResource] bytes
	Verdict  Verdict
	Layer    string // layer that decided: manifest, policy, token, budget, approval …
	Rule     string // rule within the layer, as its author wrote it
	Source   string // file:line that set the rule
	Reason   string // shown to people; cut to [MaxText] bytes
	Proof    Proof
	CostUSD  *float64 // decision: reserved; outcome: true cost. Finite and not negative
	Of       ID       // the decision an outcome belongs to, or any entry an event refers to
	Outcome  *Outcome
	Type     string          // name of an event or record: [a-z0-9._-], at most 64 bytes
	Data     json.RawMessage // one JSON object, at most [MaxData] bytes

	// MayLag lets Append answer before the entry is durable, by at most [Options.MaxLag].
	// For actions whose loss in a power failure hides nothing that matters: reads inside
	// the workspace. It is not recorded, and ignored with [Options.SyncAlways].
	MayLag bool
}

// Entry is one signed link of a principal's chain.
type Entry struct {
	Draft
	ID        ID
	Seq       uint64    // position in the chain, from 1
	Time      time.Time // UTC, nanoseconds; never before the previous entry's
	Behind    time.Duration
	Principal string
	Prev      Hash   // of the previous entry; zero for the first
	Key       Key    // public key of the signer
	Sig       Sig    // over everything above
	line      []byte // canonical form, without newline
}

// Line returns the canonical JSON of the entry, without a newline: the exact bytes of
// the segment. The caller must not change them.
func (e *Entry) Line() []byte {
	if e.line == nil {
		e.line = appendLine(nil, e)
	}
	return e.line
}

// MarshalJSON returns the canonical form. Mind that json.Marshal then escapes <, >, & and two
// more in it; what must verify elsewhere is [Entry.Line].
func (e Entry) MarshalJSON() ([]byte, error) { return e.Line(), nil }

// UnmarshalJSON accepts the canonical form, also as json.Marshal escapes it, and nothing else.
func (e *Entry) UnmarshalJSON(b []byte) error {
	v, err := DecodeLine(unescapeHTML(b))
	if err == nil {
		*e = v
	}
	return err
}
