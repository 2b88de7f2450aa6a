package abi

import "time"

// Methods of a [KernelRequest] about the gate. Each acts for the principal of the client
// that calls it and answers Success with the record named here.
const (
	MethodListApprovals  = "ListApprovals"  // params [ApprovalQuery], answers the [ApprovalInfo] list: open and queued requests
	MethodAnswerApproval = "AnswerApproval" // params [ApprovalReply], answers the [ApprovalInfo]
	MethodListGrants     = "ListGrants"     // [GrantInfo] list: tokens and allowances
	MethodRevokeGrants   = "RevokeGrants"   // params [GrantSelector], answers the [GrantInfo] list of what ended
	MethodGetBudget      = "GetBudget"      // [BudgetInfo]
	MethodGetMode        = "GetMode"        // params [ModeQuery], answers [ModeInfo]
	MethodSetSessionMode = "SetSessionMode" // params [SessionMode], answers [ModeInfo]
	MethodReloadPolicy   = "ReloadPolicy"   // params [ModeQuery], answers [ModeInfo]; reads the configuration again
	MethodEndSession     = "EndSession"     // params [SessionEnd]: drops what was allowed for a session
)

// ApprovalQuery names one question; without an id it is about all. A list that is too long has the texts of its last
// questions shortened, visibly; one that is asked for alone is whole.
type ApprovalQuery struct {
	RequestID string `json:"request_id,omitempty"`
}

// ApprovalInfo is a question of the gate. Action, Resource, Method and Detail are escaped
// for display. It describes what the call does, not what its capsule says about it; only
// Detail is the capsule's word.
type ApprovalInfo struct {
	ID        string           `json:"id"`
	Capsule   string           `json:"capsule"`
	Session   string           `json:"session,omitempty"`
	Workspace string           `json:"workspace,omitempty"`
	Kind      string           `json:"kind"`
	Action    string           `json:"action"`
	Resource  string           `json:"resource"`
	Method    string           `json:"method,omitempty"`
	Detail    string           `json:"detail,omitempty"`
	Reason    string           `json:"reason"`
	Rule      string           `json:"rule"`
	Source    string           `json:"source,omitempty"` // file:line of the rule
	Risk      string           `json:"risk"`
	CostUSD   float64          `json:"cost_usd,omitempty"`
	Size      int64            `json:"size,omitempty"` // bytes
	Choices   []ApprovalChoice `json:"choices"`
	CreatedAt time.Time        `json:"created_at"`
	Deadline  time.Time        `json:"deadline,omitzero"` // of an open one; a queued one has none
	Queued    bool             `json:"queued"`            // no call waits for the answer any more
}

// ApprovalChoice is a possible answer with the exact pattern that it grants.
type ApprovalChoice struct {
	Decision string `json:"decision"`
	Grants   string `json:"grants"` // "" for deny
}

// ApprovalReply answers a question of the gate.
type ApprovalReply struct {
	RequestID string `json:"request_id"`
	Decision  string `json:"decision"`
	Reason    string `json:"reason,omitempty"` // with deny: told to the capsule
	// Pattern over resources and Scope (session or workspace) go with
	// approve_with_allowance. The pattern must cover what was asked for.
	Pattern string `json:"pattern,omitempty"`
	Scope   string `json:"scope,omitempty"`
}

// Kinds of a [GrantInfo].
const (
	GrantToken     = "token"
	GrantAllowance = "allowance"
)

// GrantInfo is a standing permission: a capability token or an allowance.
type GrantInfo struct {
	ID          string    `json:"id"`
	Kind        string    `json:"kind"`    // token or allowance
	Capsule     string    `json:"capsule"` // "" is every capsule of the principal
	Scope       string    `json:"scope"`   // always or session (tokens); once, session, workspace (allowances)
	Session     string    `json:"session,omitempty"`
	Workspace   string    `json:"workspace,omitempty"`
	Pattern     string    `json:"pattern"`
	Permissions []string  `json:"permissions,omitempty"`
	Status      string    `json:"status"` // active, expired, revoked, used, invalid
	Problem     string    `json:"problem,omitempty"`
	CreatedAt   time.Time `json:"created_at"`
	ExpiresAt   time.Time `json:"expires_at,omitzero"`
	RevokedAt   time.Time `json:"revoked_at,omitzero"`
	MaxUses     int       `json:"max_uses,omitempty"` // 0 is unlimited
	Used        int       `json:"used,omitempty"`
	AuditID     string    `json:"audit_id,omitempty"` // the entry that created it
}

// GrantSelector chooses grants: one by id, or all of a capsule.
type GrantSelector struct {
	ID      string `json:"id,omitempty"`
	Capsule string `json:"capsule,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

// BudgetInfo is what may be spent and what was. Amounts are US dollars.
type BudgetInfo struct {
	Limits        []BudgetLimit `json:"limits"`
	WarnAtPercent int           `json:"warn_at_percent"`
	Tariff        []TariffInfo  `json:"tariff"`
	Totals        []BudgetTotal `json:"totals"`
}

// BudgetLimit is one limit of the configuration.
type BudgetLimit struct {
	Name   string  `json:"name"`    // session, workspace, per_action
	MaxUSD float64 `json:"max_usd"` // 0 is no limit
	Source string  `json:"source"`  // where it is set
}

// TariffInfo is the least that a request to a host costs.
type TariffInfo struct {
	Host   string  `json:"host"`
	USD    float64 `json:"usd"`
	Source string  `json:"source"`
}

// BudgetTotal is what one session or workspace has used.
type BudgetTotal struct {
	Scope       string  `json:"scope"` // session or workspace
	Name        string  `json:"name"`  // session id or directory
	SpentUSD    float64 `json:"spent_usd"`
	ReservedUSD float64 `json:"reserved_usd"` // of actions that still run; not part of spent_usd
	MaxUSD      float64 `json:"max_usd"`      // 0 is no limit
	Source      string  `json:"source"`       // where the limit is set
}

// ModeQuery names a workspace, and maybe a session in it; "" is none.
type ModeQuery struct {
	Workspace string `json:"workspace,omitempty"` // absolute; that of the session, if it has one already, comes before it
	Session   string `json:"session,omitempty"`
}

// SessionMode bounds the mode of one session, from now on and beyond restarts: in force is the stricter one of it and
// the workspace's, so it can take freedom away and give back no more than that.
type SessionMode struct {
	Session   string `json:"session"`
	Workspace string `json:"workspace,omitempty"` // where a session that is new will work, absolute
	Mode      string `json:"mode"`                // safe, guided, autonomous, yolo
}

// ModeInfo is the mode in force.
type ModeInfo struct {
	Mode      string   `json:"mode"` // safe, guided, autonomous, yolo
	Source    string   `json:"source"`
	Workspace string   `json:"workspace,omitempty"`
	Session   string   `json:"session,omitempty"` // that was asked about
	Limit     string   `json:"limit,omitempty"`   // the session's own mode; "" is none
	Notices   []string `json:"notices,omitempty"` // about the configuration
}

// SessionEnd names a session that is over.
type SessionEnd struct {
	Session string `json:"session"`
}
