package approval

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/unicity-astrid/astrid-go/capability"
)

// Request is a question to the human. All texts are escaped for display.
type Request struct {
	ID        string    `json:"id"` // 128 random bits, hex; used once
	Principal string    `json:"principal"`
	Capsule   string    `json:"capsule"`
	Session   string    `json:"session,omitempty"`
	Workspace string    `json:"workspace,omitempty"`
	Kind      Kind      `json:"kind"`
	Action    string    `json:"action"`   // one line: what it wants to do
	Resource  string    `json:"resource"` // the real one, made by the host, and all of it
	Method    string    `json:"method,omitempty"`
	Detail    string    `json:"detail,omitempty"` // said by the capsule, not verified
	Reason    string    `json:"reason"`           // why there is a question
	Rule      string    `json:"rule"`             // the rule that asked
	Source    string    `json:"source,omitempty"` // file:line of that rule
	Risk      string    `json:"risk"`
	Cost      Micros    `json:"cost_micros,omitempty"`
	Size      int64     `json:"size,omitempty"`
	Choices   []Offer   `json:"choices"`
	CreatedAt time.Time `json:"created_at"`
	Deadline  time.Time `json:"deadline,omitzero"` // zero: queued, waits until it is answered or too old
	Queued    bool      `json:"queued,omitempty"`
}

// Offer is one possible answer with what it would grant.
type Offer struct {
	Choice Choice `json:"choice"`
	Grants string `json:"grants"` // the exact pattern; "" for deny
}

// Choice is what the human answers.
type Choice string

// The choices. The words are those of the `approval_response` payload.
const (
	ApproveOnce      Choice = "approve"
	ApproveSession   Choice = "approve_session"
	ApproveWorkspace Choice = "approve_workspace"
	ApproveAlways    Choice = "approve_always"
	// ApprovePattern grants a pattern that the human wrote; it must cover the action that was asked about.
	ApprovePattern Choice = "approve_with_allowance"
	Deny           Choice = "deny"
	// Defer answers nothing: who says it cannot decide. Unless another client was asked too, the request is queued as
	// if nobody had been there. It is always possible while a call waits, and offered by no dialog.
	Defer Choice = "defer"
)

// Decision is an answer.
type Decision struct {
	Choice   Choice `json:"decision"`
	Feedback string `json:"reason,omitempty"` // with Deny: told to the capsule and thereby to the model

	// For ApprovePattern only.
	Pattern *Pattern      `json:"pattern,omitempty"`
	Scope   Scope         `json:"scope,omitempty"`    // session (default) or workspace
	MaxUses int           `json:"max_uses,omitempty"` // 0 = unlimited
	For     time.Duration `json:"for,omitempty"`      // 0 = no expiry
}

var (
	// ErrUnknownRequest: no open request of this principal has this id: never asked, answered already, too old,
	// or somebody else's.
	ErrUnknownRequest = errors.New("no open approval request with this id")
	// ErrChoice: the answer is not among the offered ones.
	ErrChoice = errors.New("this answer is not offered")
)

// newID returns 128 random bits.
func newID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails since Go 1.24
	return hex.EncodeToString(b[:])
}

// newRequest describes an action that needs a human.
func newRequest(s *Subject, a *Action, v verdict, cost Micros, always bool, now time.Time) Request {
	return Request{
		ID: newID(), Principal: s.Principal, Capsule: s.Capsule, Session: s.Session, Workspace: s.Workspace,
		Kind: a.Kind, Action: a.summary(), Resource: escape(a.Resource), Method: Display(a.Method),
		Detail: Display(a.Detail), Reason: v.reasonToAsk(), Rule: v.rule, Source: v.source, Risk: a.risk(),
		Cost: cost, Size: a.Size, Choices: offers(s, a, always), CreatedAt: now,
	}
}

func (v verdict) reasonToAsk() string {
	if v.reason != "" {
		return v.reason
	}
	return v.rule + " asks for this"
}

// summary says in one line what an action does.
func (a *Action) summary() string {
	switch a.Kind {
	case FSRead:
		return "read " + Display(a.Path)
	case FSWrite:
		return fmt.Sprintf("write %s (%d bytes)", Display(a.Path), a.Size)
	case FSDelete:
		return "delete " + Display(a.Path)
	case NetRequest:
		if a.Method != "" {
			return fmt.Sprintf("%s request to %s:%d", Display(a.Method), Display(a.Host), a.Port)
		}
		return fmt.Sprintf("request to %s:%d", Display(a.Host), a.Port)
	case Exec:
		return "run " + Display(a.Resource[len("exec://"):])
	}
	return string(a.Kind) + " " + Display(a.Resource[len(prefixes[a.Kind]):])
}

// offers lists the answers that make sense for an action.
func offers(s *Subject, a *Action, always bool) []Offer {
	list := []Offer{{ApproveOnce, oncePattern(a).String()}}
	lasting := lastingPattern(a).String()
	if s.Session != "" {
		list = append(list, Offer{ApproveSession, lasting})
	}
	if s.Workspace != "" {
		list = append(list, Offer{ApproveWorkspace, lasting})
	}
	if _, err := capability.ParsePattern(tokenPattern(a)); always && err == nil {
		list = append(list, Offer{ApproveAlways, tokenPattern(a)})
	}
	return append(list, Offer{Deny, ""})
}

// oncePattern covers exactly this call.
func oncePattern(a *Action) Pattern {
	return Pattern{Type: ExactResource, Resource: a.Resource, Method: a.Method}
}

// lastingPattern is what "session" and "workspace" grant: this resource, and for a network request every path of
// the same scheme, host and port, because an API would ask for each call otherwise.
func lastingPattern(a *Action) Pattern {
	if a.Kind == NetRequest {
		if p := (Pattern{Type: ResourceGlob, Pattern: tokenPattern(a)}); p.Check() == nil {
			return p
		}
	}
	return Pattern{Type: ExactResource, Resource: a.Resource}
}

// tokenPattern is what "always" grants. Text that looks like a wildcard is quoted.
func tokenPattern(a *Action) string {
	if a.Kind == NetRequest {
		origin := a.Resource[:len(a.Resource)-len(netPath(a.Resource))]
		return capability.Quote(origin) + "/**"
	}
	return capability.Quote(a.Resource)
}
