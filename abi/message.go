package abi

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"strconv"
	"time"
)

// Message is the envelope of the bus as guests and clients see it.
// Source, sequence, time, principal and session are stamped by the kernel;
// whatever a publisher puts there is replaced.
type Message struct {
	Topic     string          `json:"topic"`
	Payload   json.RawMessage `json:"payload"`   // tagged object, see the Tag constants
	Signature []byte          `json:"signature"` // reserved, always null
	SourceID  string          `json:"source_id"` // UUID of the publishing capsule's load
	Timestamp time.Time       `json:"timestamp"`
	Seq       uint64          `json:"seq"`
	Principal string          `json:"principal,omitempty"`
	Session   string          `json:"session,omitempty"` // the session the message belongs to, if any
}

// PollEnvelope is the answer of astrid_ipc_poll and astrid_ipc_recv.
type PollEnvelope struct {
	Messages []Message `json:"messages"`
	Dropped  uint64    `json:"dropped"` // 1 when the batch limit was reached; nothing is lost, poll again
	Lagged   uint64    `json:"lagged"`  // messages this subscription missed since the last poll because its queue was full
}

// Caller is the answer of astrid_get_caller; all fields but the last are empty outside a message handler.
type Caller struct {
	Principal string `json:"principal,omitempty"`
	SourceID  string `json:"source_id,omitempty"`
	Timestamp string `json:"timestamp,omitempty"`
	SessionID string `json:"session_id,omitempty"`
	UserID    string `json:"user_id,omitempty"`
	Workspace string `json:"workspace,omitempty"` // directory the session works in
	// ProjectTrusted: the user agreed to the files with which the session's project addresses agents (AGENTS.md, .astrid, .agents), as
	// they are now, or it has none, and nobody has changed them in the session. Without it they are text, and no instructions.
	ProjectTrusted bool `json:"project_trusted,omitempty"`
}

// InterceptorHandle tells a run loop which subscription carries which interceptor.
type InterceptorHandle struct {
	HandleID uint64 `json:"handle_id"`
	Action   string `json:"action"`
	Topic    string `json:"topic"`
}

// First byte of the output of [ExportHookTrigger].
const (
	VerdictContinue byte = 0 // go on; the rest, if any, replaces the payload
	VerdictFinal    byte = 1 // stop; the rest is the answer
	VerdictDeny     byte = 2 // stop; the rest is the reason, UTF-8
)

// EncodeHookInput makes the input of [ExportHookTrigger] in the native convention:
// the length of the action name (u32, little endian), the name, the payload.
func EncodeHookInput(action string, payload []byte) []byte {
	b := make([]byte, 0, 4+len(action)+len(payload))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(action)))
	b = append(b, action...)
	return append(b, payload...)
}

// EncodeExtismHookInput makes the input of [ExportHookTrigger] in the Extism convention: JSON with
// the action as "name" and the payload as "arguments", an array of its bytes as numbers.
func EncodeExtismHookInput(action string, payload []byte) []byte {
	b := make([]byte, 0, 32+len(action)+4*len(payload))
	b = append(b, `{"arguments":[`...)
	for i, c := range payload {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, uint64(c), 10)
	}
	name, _ := json.Marshal(action) // a string can always be written
	return append(append(append(b, `],"name":`...), name...), '}')
}

// ErrHookInput is returned by [DecodeHookInput] for a truncated input.
var ErrHookInput = errors.New("hook input is truncated")

// DecodeHookInput is the inverse of [EncodeHookInput]. The payload aliases b.
func DecodeHookInput(b []byte) (action string, payload []byte, err error) {
	if len(b) < 4 {
		return "", nil, ErrHookInput
	}
	n := binary.LittleEndian.Uint32(b)
	if uint64(n) > uint64(len(b)-4) {
		return "", nil, ErrHookInput
	}
	return string(b[4 : 4+n]), b[4+n:], nil
}
