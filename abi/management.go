package abi

import (
	"encoding/json"
	"time"
)

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

// ClientSubscribe replaces what a client sees and what it answers: it sees messages on one of Topics
// that belong to one of Sessions or to no session. Session "*" means all of the principal's.
type ClientSubscribe struct {
	Topics   []string `json:"topics"`
	Sessions []string `json:"sessions"`
	// Approver: somebody is there to answer what the gate asks. Without one, what needs
	// an approval is queued at once.
	Approver bool `json:"approver,omitempty"`
	// Elicitor: somebody is there to answer what capsules ask while they are installed or upgraded ([TopicElicit]).
	Elicitor bool `json:"elicitor,omitempty"`
	// OwnSessions: the approver answers for Sessions only, not for all of the principal's.
	OwnSessions bool `json:"own_sessions,omitempty"`
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
	MethodListUsage      = "ListUsage" // answers Success with a list of [CapsuleStatus]
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
	Restarts    uint64 `json:"restarts"`     // instances that died and were replaced
	HostCalls   uint64 `json:"host_calls"`
	// Shares are what was used for each principal; the CPU times add up to CPUMicros.
	Shares []CPUShare `json:"shares,omitempty"`
}

// CPUShare is what a capsule has used for one principal.
type CPUShare struct {
	Principal       string `json:"principal"`
	CPUMicros       uint64 `json:"cpu_micros"`
	ThrottledMicros uint64 `json:"throttled_micros"` // held back, because limits.cpu_percent was used up
	StoredKeys      int    `json:"stored_keys"`      // in the key-value store
	StoredBytes     int64  `json:"stored_bytes"`
}

// BusStatus counts the bus's traffic since boot.
type BusStatus struct {
	Published     uint64 `json:"published"`
	Delivered     uint64 `json:"delivered"`
	QueueFull     uint64 `json:"queue_full"`
	Subscriptions int    `json:"subscriptions"`
}

// Methods of a [KernelRequest] about what sessions changed. Each acts on the overlays of the
// client's principal and answers Success with the record named here.
const (
	MethodListOverlays   = "ListOverlays"   // params [OverlayQuery], answers a list of [OverlayInfo]: the nearest workspace first, then the last used
	MethodOverlayChanges = "OverlayChanges" // params [OverlaySelector], answers [OverlayChanges]
	MethodOverlayDiff    = "OverlayDiff"    // params [OverlaySelector], answers [OverlayDiff]
	MethodCommitOverlay  = "CommitOverlay"  // params [OverlayCommit], answers [OverlayOutcome]
	MethodDiscardOverlay = "DiscardOverlay" // params [OverlaySelector], answers [OverlayOutcome]

	MethodListCheckpoints   = "ListCheckpoints"   // params [CheckpointQuery], answers a list of [CheckpointInfo], the oldest first
	MethodCreateCheckpoint  = "CreateCheckpoint"  // params [CheckpointQuery], answers [CheckpointInfo]
	MethodRestoreCheckpoint = "RestoreCheckpoint" // params [CheckpointQuery], answers [CheckpointRestored]
	MethodDeleteCheckpoint  = "DeleteCheckpoint"  // params [CheckpointQuery], answers [CheckpointInfo], of what is gone
)

// OverlayQuery selects sessions whose overlay has changes.
type OverlayQuery struct {
	// Directory selects the sessions that work in it or in a directory above it; "" means all.
	Directory string `json:"directory,omitempty"`
	// Session selects one, even when it changed nothing; the list is empty when it was never used.
	Session string `json:"session,omitempty"`
}

// OverlayInfo describes what one session has changed and not committed.
type OverlayInfo struct {
	Session   string    `json:"session"`
	Workspace string    `json:"workspace"`
	CreatedAt time.Time `json:"created_at,omitzero"`
	UsedAt    time.Time `json:"used_at,omitzero"` // of the last message that a client sent to it
	Changes   int       `json:"changes"`
	Problem   string    `json:"problem,omitempty"` // why the overlay cannot be opened
}

// OverlaySelector names changes of a session.
type OverlaySelector struct {
	Session string `json:"session"`
	// Paths relative to the workspace, each with everything below it; none means all.
	Paths []string `json:"paths,omitempty"`
	// After is where a long list goes on: the last path of the page before.
	After string `json:"after,omitempty"`
	// Offset is where a long diff goes on, in bytes.
	Offset int `json:"offset,omitempty"`
}

// OverlayChange is one changed path. A rename is a deletion and an addition; a directory
// that came or went with what is in it is not listed.
type OverlayChange struct {
	Path    string `json:"path"` // relative to the workspace, slash separated
	Op      string `json:"op"`   // added, modified, deleted
	OldKind string `json:"old_kind,omitempty"`
	NewKind string `json:"new_kind,omitempty"` // file, directory, symlink, special
	OldMode string `json:"old_mode,omitempty"` // permission bits, octal
	NewMode string `json:"new_mode,omitempty"`
	OldSize int64  `json:"old_size"` // bytes
	NewSize int64  `json:"new_size"`
	// Conflict says what happened to the path in the workspace meanwhile; "" for nothing.
	Conflict string `json:"conflict,omitempty"`
}

// OverlayChanges is a page of a session's changes, sorted by path.
type OverlayChanges struct {
	Total   int             `json:"total"` // of all pages
	Changes []OverlayChange `json:"changes"`
	More    bool            `json:"more,omitempty"` // ask again with After
}

// OverlayDiff is a piece of a unified diff in git's dialect. Pieces with one Sum are of one text.
type OverlayDiff struct {
	Text  []byte `json:"text"`
	Total int    `json:"total"` // bytes of the whole text
	Sum   string `json:"sum"`
}

// How a commit treats paths that changed in the workspace since the session covered them.
const (
	ConflictRefuse = "refuse" // commit nothing
	ConflictOurs   = "ours"   // the session's version overwrites the workspace's
	ConflictTheirs = "theirs" // the workspace's version stays, the session's is forgotten
)

// OverlayCommit asks for a commit.
type OverlayCommit struct {
	Session    string   `json:"session"`
	Paths      []string `json:"paths,omitempty"` // as in [OverlaySelector]
	OnConflict string   `json:"on_conflict,omitempty"`
	DryRun     bool     `json:"dry_run,omitempty"`
}

// OverlayOutcome is what a commit or discard did. Lists are cut after [MaxOverlayPage]
// entries; the numbers are not.
type OverlayOutcome struct {
	// Done tells whether it happened; not after a dry run, or when conflicts stopped it.
	Done bool `json:"done"`
	// Count and Changes are what was committed, discarded or, in a dry run, would be.
	Count   int             `json:"count"`
	Changes []OverlayChange `json:"changes"`
	// Conflicts that were decided, or that stopped the commit.
	ConflictCount int             `json:"conflict_count"`
	Conflicts     []OverlayChange `json:"conflicts"`
	// Skipped changes stay with the session, because they are nothing that a commit can take over.
	SkippedCount int             `json:"skipped_count"`
	Skipped      []OverlayChange `json:"skipped"`
	Remaining    int             `json:"remaining"` // changes that the session has still
	AuditID      string          `json:"audit_id,omitempty"`
}

// CheckpointQuery names a session and, where one is meant, a checkpoint of it.
type CheckpointQuery struct {
	Session string `json:"session"`
	ID      int    `json:"id,omitempty"`
	Label   string `json:"label,omitempty"` // of a new one; at most [MaxCheckpointLabel] bytes
}

// MaxCheckpointLabel is the longest label of a checkpoint, in bytes.
const MaxCheckpointLabel = 200

// CheckpointInfo describes a copy of a session's changes.
type CheckpointInfo struct {
	ID      int       `json:"id"`
	Label   string    `json:"label,omitempty"`
	Created time.Time `json:"created"`
	Changes int       `json:"changes"`
	Bytes   int64     `json:"bytes"`
}

// CheckpointRestored is what restoring a checkpoint did.
type CheckpointRestored struct {
	Restored CheckpointInfo  `json:"restored"`
	Saved    *CheckpointInfo `json:"saved,omitempty"` // what was there before, if there was anything
	AuditID  string          `json:"audit_id"`
}

// MaxOverlayPage is the largest number of changes in one answer.
const MaxOverlayPage = 4096

// HealthFailed is published on [TopicHealthFailed] when an instance of a capsule died, with
// what it had in memory.
type HealthFailed struct {
	CapsuleID string `json:"capsule_id"`
	Reason    string `json:"reason"`
	// Topics are those whose work in progress is lost; empty if other instances have it.
	Topics []string `json:"topics"`
}
