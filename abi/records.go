package abi

import "encoding/json"

// FileStat is the answer of astrid_fs_stat.
type FileStat struct {
	Size  uint64 `json:"size"`
	IsDir bool   `json:"isDir"`
	Mtime uint64 `json:"mtime"` // seconds since the epoch, 0 when unknown
}

// HTTPRequest is the parameter of astrid_http_request and astrid_http_stream_start.
type HTTPRequest struct {
	URL     string            `json:"url"`
	Method  string            `json:"method,omitempty"` // default GET
	Headers map[string]string `json:"headers,omitempty"`
	Body    *string           `json:"body,omitempty"`
	CostUSD float64           `json:"cost_usd,omitempty"` // estimate, reserved against the budget
}

// HTTPResponse is the answer of astrid_http_request. Header names are lower case.
type HTTPResponse struct {
	Status  uint16            `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

// HTTPStream is the answer of astrid_http_stream_start.
type HTTPStream struct {
	Handle  string            `json:"handle"`
	Status  uint16            `json:"status"`
	Headers map[string]string `json:"headers"`
}

// HTTPStreamNext is the long form of the parameter of astrid_http_stream_read; the short form
// is the handle as decimal text. A message that waits at the subscription Until, then or
// later, interrupts the read with [CodeCanceled]; the stream stays open and loses nothing.
type HTTPStreamNext struct {
	Handle string `json:"handle"`
	Until  string `json:"until,omitempty"`
}

// HTTPStreamEnd is the long form of the parameter of astrid_http_stream_close;
// the short form is the handle as decimal text. CostUSD settles the estimate.
type HTTPStreamEnd struct {
	Handle  string   `json:"handle"`
	CostUSD *float64 `json:"cost_usd,omitempty"`
}

// HookRequest is the parameter of astrid_trigger_hook.
type HookRequest struct {
	Hook    string          `json:"hook"`
	Payload json.RawMessage `json:"payload"`
}

// ProcessRequest is the parameter of the two spawn functions.
type ProcessRequest struct {
	Cmd  string   `json:"cmd"` // a name that is looked up, a path in the workspace, or an absolute path
	Args []string `json:"args,omitempty"`
	// Stdin is what the program reads; the human who decides sees it. Without it, there is nothing to read.
	Stdin string `json:"stdin,omitempty"`
	// TimeoutMS ends the program, in milliseconds; 0 leaves it to the call's deadline. astrid_spawn_host only.
	TimeoutMS uint64 `json:"timeout_ms,omitempty"`
	// Interactive keeps the program's input open behind Stdin: [ProcessRead] adds to it. The human who decides is told so. It is
	// for astrid_spawn_background_host only.
	Interactive bool `json:"interactive,omitempty"`
}

// ProcessResult is the answer of astrid_spawn_host. ExitCode is the program's own, 128+n after signal n, and -1 when the
// host ended it. Of each stream the last [MaxProcessOutput] bytes are kept; the counts tell how many before were dropped.
type ProcessResult struct {
	Stdout        string `json:"stdout"`
	Stderr        string `json:"stderr"`
	ExitCode      int32  `json:"exit_code"`
	TimedOut      bool   `json:"timed_out,omitempty"`
	StdoutDropped int64  `json:"stdout_dropped,omitempty"`
	StderrDropped int64  `json:"stderr_dropped,omitempty"`
}

// ProcessHandle names a background process.
type ProcessHandle struct {
	ID uint64 `json:"id"`
}

// ProcessRead is the request of astrid_read_process_logs_host.
type ProcessRead struct {
	ID uint64 `json:"id"`
	// Stdin goes to the program first, if that was started as interactive.
	Stdin string `json:"stdin,omitempty"`
	// WaitMS is how long to wait for output or the program's end if there is neither yet, in milliseconds; at most [MaxRecv].
	WaitMS uint64 `json:"wait_ms,omitempty"`
}

// ProcessLogs is the answer of astrid_read_process_logs_host: what came since the last call. ExitCode is null while the
// program runs.
type ProcessLogs struct {
	Stdout        string `json:"stdout"`
	Stderr        string `json:"stderr"`
	Running       bool   `json:"running"`
	ExitCode      *int32 `json:"exit_code"`
	StdoutDropped int64  `json:"stdout_dropped,omitempty"`
	StderrDropped int64  `json:"stderr_dropped,omitempty"`
}

// ProcessKilled is the answer of astrid_kill_process_host. ExitCode is null when the program was still running.
type ProcessKilled struct {
	Killed        bool   `json:"killed"`
	ExitCode      *int32 `json:"exit_code"`
	Stdout        string `json:"stdout"`
	Stderr        string `json:"stderr"`
	StdoutDropped int64  `json:"stdout_dropped,omitempty"`
	StderrDropped int64  `json:"stderr_dropped,omitempty"`
}

// ElicitRequest is the parameter of astrid_elicit.
type ElicitRequest struct {
	Type        string   `json:"type"` // text, secret, select, array
	Key         string   `json:"key"`
	Description string   `json:"description,omitempty"`
	Options     []string `json:"options,omitempty"`
	Default     string   `json:"default,omitempty"`
}

// ElicitAnswer is the answer of astrid_elicit.
type ElicitAnswer struct {
	Value  string   `json:"value,omitempty"`
	Values []string `json:"values,omitempty"`
	OK     bool     `json:"ok,omitempty"` // a secret was stored
}

// SecretRequest is the parameter of astrid_has_secret.
type SecretRequest struct {
	Key string `json:"key"`
}

// SecretAnswer is the answer of astrid_has_secret.
type SecretAnswer struct {
	Exists bool `json:"exists"`
}

// ApprovalRequest is the parameter of astrid_request_approval.
type ApprovalRequest struct {
	Action    string `json:"action"`
	Resource  string `json:"resource"`
	RiskLevel string `json:"risk_level"`
}

// ApprovalAnswer is the answer of astrid_request_approval.
type ApprovalAnswer struct {
	Approved bool   `json:"approved"`
	Decision string `json:"decision"`
}

// CapabilityCheck is the parameter of astrid_check_capsule_capability.
type CapabilityCheck struct {
	SourceUUID string `json:"source_uuid"`
	Capability string `json:"capability"`
}

// CapabilityAnswer is the answer of astrid_check_capsule_capability.
type CapabilityAnswer struct {
	Allowed bool `json:"allowed"`
}

// UplinkAck is the answer of astrid_uplink_send.
type UplinkAck struct {
	OK      bool `json:"ok"`
	Dropped bool `json:"dropped,omitempty"`
}

// UplinkInbound is published on [TopicUplinkInbound] for each astrid_uplink_send. The envelope's principal is that of the user
// whom the account belongs to. UserID is empty when it belongs to nobody: then nothing may be done in anybody's name.
type UplinkInbound struct {
	UplinkID       string `json:"uplink_id"`
	Uplink         string `json:"uplink"` // name of the uplink
	Platform       string `json:"platform"`
	Profile        string `json:"profile"`
	PlatformUserID string `json:"platform_user_id"`
	Content        string `json:"content"`
	UserID         string `json:"user_id,omitempty"`
	DisplayName    string `json:"display_name,omitempty"`
	Timestamp      string `json:"timestamp"` // RFC 3339
}

// First byte of the answer of astrid_net_read.
const (
	NetData    byte = 0 // the rest is one whole frame
	NetClosed  byte = 1 // the peer has closed
	NetNothing byte = 2 // nothing complete has arrived yet
)

// IdentityRequest is the parameter of the five identity functions; each uses its own fields.
type IdentityRequest struct {
	Platform       string  `json:"platform,omitempty"`
	PlatformUserID string  `json:"platform_user_id,omitempty"`
	AstridUserID   string  `json:"astrid_user_id,omitempty"`
	Method         string  `json:"method,omitempty"`
	DisplayName    *string `json:"display_name,omitempty"`
}

// IdentityLinkRecord ties a platform account to a user.
type IdentityLinkRecord struct {
	Platform       string `json:"platform"`
	PlatformUserID string `json:"platform_user_id"`
	AstridUserID   string `json:"astrid_user_id"`
	LinkedAt       string `json:"linked_at"` // RFC 3339
	Method         string `json:"method"`
}

// IdentityAnswer is the answer of the five identity functions; each has its own fields. In the native convention a failure
// is a code and a message; in the Extism convention it is OK or Found false, with Error.
type IdentityAnswer struct {
	OK          *bool                 `json:"ok,omitempty"`
	Found       *bool                 `json:"found,omitempty"`
	Removed     *bool                 `json:"removed,omitempty"`
	UserID      string                `json:"user_id,omitempty"`
	DisplayName string                `json:"display_name,omitempty"`
	Link        *IdentityLinkRecord   `json:"link,omitempty"`
	Links       *[]IdentityLinkRecord `json:"links,omitempty"`
	Error       string                `json:"error,omitempty"`
}

// ToolDescription is one entry of a tool_describe answer.
type ToolDescription struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	InputSchema json.RawMessage `json:"input_schema"`
}

// ToolsDescription is the answer of a tool_describe handler.
type ToolsDescription struct {
	Tools       []ToolDescription `json:"tools"`
	Description string            `json:"description,omitempty"`
}
