package capsule

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
)

// Verdict is what a handler decided.
type Verdict uint8

// Verdicts, numbered as on the wire.
const (
	Continue = Verdict(abi.VerdictContinue) // go on
	Final    = Verdict(abi.VerdictFinal)    // stop, here is the answer
	Deny     = Verdict(abi.VerdictDeny)     // stop, for a reason
)

func (v Verdict) String() string {
	switch v {
	case Continue:
		return "continue"
	case Final:
		return "final"
	case Deny:
		return "deny"
	}
	return fmt.Sprintf("verdict_%d", uint8(v))
}

// Result is the decoded output of a handler.
type Result struct {
	Verdict Verdict
	// Payload is, for Continue, what replaces the payload (nil: nothing does), and for
	// Final the answer.
	Payload []byte
	Reason  string // of Deny: UTF-8, at most MaxReason bytes
}

// MaxReason bounds the reason of a Deny in bytes. The rest is cut off.
const MaxReason = abi.MaxApprovalText

// DecodeResult decodes the output of a handler. The first byte is the verdict and the rest
// its payload or reason. Output that starts with another byte is a new payload as a whole:
// guests built with SDKs up to 0.4 return bare JSON. Their "null" means that the
// handler returned nothing, so it replaces nothing. Payload aliases out.
func DecodeResult(out []byte) Result {
	if len(out) == 0 {
		return Result{}
	}
	rest := out[1:]
	switch out[0] {
	case abi.VerdictContinue:
	case abi.VerdictFinal:
		return Result{Verdict: Final, Payload: rest}
	case abi.VerdictDeny:
		return Result{Verdict: Deny, Reason: reason(rest)}
	default:
		if rest = out; string(bytes.TrimSpace(out)) == "null" {
			return Result{}
		}
	}
	if len(rest) == 0 {
		return Result{}
	}
	return Result{Payload: rest}
}

// reason makes guest bytes fit for logs and terminals.
func reason(b []byte) string {
	if len(b) > MaxReason {
		b = b[:MaxReason]
	}
	clean := func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return ' '
		}
		return r
	}
	s := strings.TrimSpace(strings.Map(clean, strings.ToValidUTF8(string(b), "")))
	if s == "" {
		return "no reason given"
	}
	return s
}
