package abi

import "encoding/json"

// ProtocolVersion of the socket handshake.
const ProtocolVersion = 1

// MaxFrame is the largest frame on the daemon's socket, in bytes.
const MaxFrame = 10 << 20

// MaxHandshake is the largest handshake frame, in bytes.
const MaxHandshake = 4096

// Handshake is the first frame of a client.
type Handshake struct {
	Token           string `json:"token"`
	ProtocolVersion int    `json:"protocol_version"`
	ClientVersion   string `json:"client_version"`
}

// HandshakeReply is the first frame of the daemon.
type HandshakeReply struct {
	Status          string `json:"status"` // ok or error
	ProtocolVersion int    `json:"protocol_version"`
	ServerVersion   string `json:"server_version"`
	Reason          string `json:"reason,omitempty"`
}

// ClientFrame is what a client sends after the handshake. The daemon answers every frame
// that has an ID with a message on [TopicClientAck] that repeats it.
type ClientFrame struct {
	ID      string          `json:"id,omitempty"`
	Topic   string          `json:"topic"`
	Payload json.RawMessage `json:"payload"`
	Session string          `json:"session,omitempty"`
	// Workspace is the absolute directory the client works in. The first frame that
	// names one ties its session to it for good.
	Workspace string `json:"workspace,omitempty"`
}

// Frames between one client and the daemon; they never reach the bus.
const (
	TopicClientSubscribe = "client.v1.subscribe" // [ClientSubscribe]
	TopicClientAck       = "client.v1.ack"       // [ClientAck]
)

// ClientSubscribe replaces what a client sees: messages on one of Topics that belong
// to one of Sessions or to no session. Session "*" means all of the principal's.
type ClientSubscribe struct {
	Topics   []string `json:"topics"`
	Sessions []string `json:"sessions"`
	// Approver: somebody is there to answer what the gate asks. Without one, what needs
	// an approval is queued at once.
	Approver bool `json:"approver,omitempty"`
}

// ClientAck answers a [ClientFrame]; an empty Error means the frame was taken.
type ClientAck struct {
	ID    string `json:"id"`
	Error string `json:"error,omitempty"`
}

// KernelRequest is a management call, sent as raw_json on astrid.v1.request.<suffix>.
type KernelRequest struct {
	Method string          `json:"method"`
	Params json.RawMessage `json:"params,omitempty"`
}

// KernelResponse answers on astrid.v1.response.<suffix>.
type KernelResponse struct {
	Status string          `json:"status"` // Success, Error, Status, Commands, CapsuleMetadata
	Data   json.RawMessage `json:"data"`
}

// Methods of a [KernelRequest].
const (
	MethodGetStatus      = "GetStatus"
	MethodShutdown       = "Shutdown"
	MethodListCapsules   = "ListCapsules"
	MethodReloadCapsules = "ReloadCapsules"
	MethodGetCommands    = "GetCommands"
	MethodGetMetadata    = "GetCapsuleMetadata"
)

// DaemonStatus is the data of a Status response.
type DaemonStatus struct {
	PID              int             `json:"pid"`
	UptimeSecs       uint64          `json:"uptime_secs"`
	Version          string          `json:"version"`
	Ephemeral        bool            `json:"ephemeral"`
	ConnectedClients int             `json:"connected_clients"`
	LoadedCapsules   []string        `json:"loaded_capsules"`
	Workspace        string          `json:"workspace"`
	Capsules         []CapsuleStatus `json:"capsules"`
	Bus              BusStatus       `json:"bus"`
	BootMs           int64           `json:"boot_ms"`
}

// CapsuleStatus describes one capsule, loaded or refused.
type CapsuleStatus struct {
	Name        string `json:"name"`
	Version     string `json:"version,omitempty"`
	State       string `json:"state"` // loading, ready, failed, refused, disabled, stopped
	Reason      string `json:"reason,omitempty"`
	Dir         string `json:"dir,omitempty"`
	Queued      int    `json:"queued"`
	Handled     uint64 `json:"handled"`
	Failed      uint64 `json:"failed"`
	Rejected    uint64 `json:"rejected"` // messages refused because the mailbox was full
	Instances   int    `json:"instances"`
	MemoryBytes uint64 `json:"memory_bytes"` // linear memory of the live instances
	CPUMicros   uint64 `json:"cpu_micros"`   // time spent in guest code
}

// BusStatus counts the bus's traffic since boot.
type BusStatus struct {
	Published     uint64 `json:"published"`
	Delivered     uint64 `json:"delivered"`
	QueueFull     uint64 `json:"queue_full"`
	Subscriptions int    `json:"subscriptions"`
}
