package approval

// Class says which layers a host function runs. Guarded is the zero value, so that a row of the host table
// which forgets its class gets all five layers.
type Class uint8

// The classes of the host function table.
const (
	// Guarded runs every layer and writes one audit entry per decision.
	Guarded Class = iota
	// Message runs bounds and policy; allowed calls are counted, refusals audited.
	Message
	// Plain is the same as Message; it marks calls that touch only the capsule's own state.
	Plain
)

// Kind is what an action does. It decides which policy rules apply and how Resource is written.
type Kind string

// The kinds known to the policy. A Guarded action of any other kind is refused.
const (
	FSRead       Kind = "fs_read"
	FSWrite      Kind = "fs_write"
	FSDelete     Kind = "fs_delete"
	NetRequest   Kind = "net_request"
	NetBind      Kind = "net_bind"
	Exec         Kind = "exec"
	Identity     Kind = "identity"
	Elicit       Kind = "elicit"
	Ask          Kind = "ask"
	MCPTool      Kind = "mcp_tool"
	IPCPublish   Kind = "ipc_publish"
	IPCSubscribe Kind = "ipc_subscribe"
	Hook         Kind = "hook"
	Uplink       Kind = "uplink"
	KV           Kind = "kv"
	Config       Kind = "config"
	// Process is reading from or ending a process the capsule started; Stream is using a connection it was given.
	// Starting and accepting were decided before.
	Process Kind = "process"
	Stream  Kind = "stream"
)

// prefixes gives the start of the resource string of each kind.
var prefixes = map[Kind]string{
	FSRead: "fs:read://", FSWrite: "fs:write://", FSDelete: "fs:delete://",
	NetRequest: "net:", NetBind: "net:bind:", Exec: "exec://",
	Identity: "identity:", Elicit: "elicit:", Ask: "ask:", MCPTool: "mcp:",
	IPCPublish: "ipc:publish:", IPCSubscribe: "ipc:subscribe:",
	Hook: "hook:", Uplink: "uplink:", KV: "kv:", Config: "config:",
	Process: "process:", Stream: "stream:",
}

// Subject is who acts.
type Subject struct {
	Principal string   // [A-Za-z0-9_-]{1,64}
	Capsule   string   // capsule id, stamped by the kernel
	Session   string   // free text set by the client; "" outside a session
	Workspace string   // absolute root of the session's workspace; "" = none, or for Options.Locate to fill in
	Home      string   // absolute root of the principal's home; the same
	Via       []string // capsule ids this call came through, outermost first; for the audit log
	Bounds    Bounds   // the capsule's manifest; nil refuses everything

	mode sessionMode // filled in by Options.Locate
}

// Bounds is the outermost layer: what the capsule's manifest declares. Permit returns the name of the
// manifest rule that decided and a non-nil error when the action is outside of it. If the error has a method
// Source() string, it is reported as the file and line of the rule.
// Permit must not keep a or change it: on the fast path the Action is reused after the call.
type Bounds interface {
	Permit(a *Action) (rule string, err error)
}

// Action is one attempted effect, made by the host from the call itself.
type Action struct {
	Kind     Kind
	Class    Class
	Function string // host function name, for the audit log
	// Resource is what grants are about (`fs:read:///abs/path`, `net:https://host:port/path`, …). For Exec it is
	// always rewritten from Argv by ExecResource.
	Resource    string
	Path        string // absolute host path of fs kinds, program path of Exec; must agree with Resource
	InWorkspace bool   // the path is inside the session's workspace overlay
	Method      string // HTTP method
	URL         string // full URL, for display only
	Host        string // must agree with Resource; filled in from it when empty
	Port        int    // the same
	Argv        []string
	Stdin       string  // what a program of Exec reads; part of its resource
	Size        int64   // bytes of payload or arguments
	CostUSD     float64 // estimate; 0 = none, negative, NaN and infinite are refused
	Risk        string  // low, medium, high, critical; "" = by kind
	Detail      string  // one line of context shown to the human; may come from the guest
}
