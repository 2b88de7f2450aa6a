package sdk

import (
	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/internal/wire"
)

// Verdict is what an interceptor says about a message. The zero value is [Continue].
type Verdict struct {
	kind    byte
	payload []byte
	err     error
}

// Continue lets the message go on unchanged.
func Continue() Verdict { return Verdict{} }

// Rewrite lets the message go on with v as its payload. Bytes and json.RawMessage are
// taken as they are; a nil v is JSON null.
func Rewrite(v any) Verdict { return withPayload(abi.VerdictContinue, v) }

// Final ends the chain: v is the answer, and later handlers do not see the message.
func Final(v any) Verdict { return withPayload(abi.VerdictFinal, v) }

// Deny ends the chain and says why.
func Deny(reason string) Verdict {
	return Verdict{kind: abi.VerdictDeny, payload: []byte(reason)}
}

// Reply answers a hook that another capsule has triggered: v becomes one element of the
// asker's list. To a message on the bus it means the same as [Rewrite].
func Reply(v any) Verdict { return withPayload(abi.VerdictContinue, v) }

func withPayload(kind byte, v any) Verdict {
	b, err := wire.Payload(v)
	return Verdict{kind: kind, payload: b, err: err}
}

// encode makes the output of the export. Nothing at all means continue.
func (v Verdict) encode() []byte {
	if v.kind == abi.VerdictContinue && len(v.payload) == 0 {
		return nil
	}
	out := make([]byte, 0, 1+len(v.payload))
	out = append(out, v.kind)
	return append(out, v.payload...)
}
