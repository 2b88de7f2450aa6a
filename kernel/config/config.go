package config

import (
	"log/slog"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
)

// Config is the outcome of Load: checked, complete and not to be modified.
type Config struct {
	Storage   string // as storage.Open takes it; "" is the default engine in the home
	Workspace Workspace
	Security  Security
	Secrets   Secrets
	Budget    Budget
	Audit     Audit
	HTTP      HTTP
	Limits    Limits
	Capsules  Capsules
	Sandbox   Sandbox
	Logging   Logging
	Identity  Identity

	// Notices are what a user should know although it is no error: what a project's file could not loosen, variables
	// that are not set, files that are not read any more.
	Notices []Notice
	// Files are the files that were read, lowest precedence first.
	Files []File

	values map[string]value
}

// Workspace is the section of the same name.
type Workspace struct {
	Mode      string // safe, guided, autonomous or yolo
	HardLinks string // none, public or all
}

// Security is the section of the same name.
type Security struct {
	ApprovalTimeout time.Duration
	SessionIdle     time.Duration // what was allowed for a session outlives its last client by this
	Policy          Policy
}

// Policy is what the policy layer enforces.
type Policy struct {
	BlockedTools           []Item // "sudo", "rm -rf /", "server", "server:tool"
	BlockedCapsules        []Item
	ApprovalRequiredTools  []Item
	AllowedPaths           []Item // globs; empty allows all
	DeniedPaths            []Item // globs
	AllowedHosts           []Item // empty allows all
	DeniedHosts            []Item
	MaxArgumentBytes       int64 // of a command line; 0 is no limit
	RequireApprovalDelete  bool
	RequireApprovalNetwork bool
}

// Item is one entry of a list and where it was written.
type Item struct {
	Value  string `json:"value"`
	Origin Origin `json:"origin"`
}

// Secrets is the section of the same name.
type Secrets struct {
	Store string // auto, file or keyring; counts when the first secret is stored
}

// Budget is the section of the same name. All amounts are US dollars.
type Budget struct {
	SessionMaxUSD   float64
	WorkspaceMaxUSD float64 // 0 is no limit
	PerActionMaxUSD float64
	WarnAtPercent   int
	Tariff          []Price // sorted by host
}

// Price is the least that one request to a host is taken to cost.
type Price struct {
	Host   string  `json:"host"`
	USD    float64 `json:"usd"`
	Origin Origin  `json:"origin"`
}

// Audit is the section of the same name.
type Audit struct {
	Sync         string // "group": in-workspace reads may be acknowledged up to 50 ms before they are on disk; "always": never
	CapsuleBytes int64  // that the calls of one capsule add for one principal per day
}

// HTTP bounds the requests of capsules.
type HTTP struct {
	Timeout          time.Duration // of a whole request, or until a stream's headers arrive
	StreamIdle       time.Duration // for the next piece of a stream
	MaxResponseBytes int64         // of a body that is not streamed
}

// Limits bounds the instances of capsules.
type Limits struct {
	GuestMemoryBytes int64
	CallDeadline     time.Duration
	Mailbox          int // messages
	CPUPercent       int // of one processor, in the long run; 0 is no limit
	KVBytes          int64
	KVKeys           int64
}

// Capsules is the section of the same name.
type Capsules struct {
	BaseURL string        // of the release host, http or https
	Timeout time.Duration // for a server that sends nothing
	Watch   bool          // the daemon looks for changes by itself
}

// Sandbox is about the programs that capsules start.
type Sandbox struct {
	Network     bool
	Read        []Item // absolute directories
	MemoryBytes uint64 // of one program
	Processes   uint64 // of a session
	CPU         time.Duration
}

// Logging is the section of the same name.
type Logging struct {
	Level         slog.Level
	RetentionDays int
	CapsuleBytes  int64 // of one capsule and principal per day
}

// Identity is the section of the same name.
type Identity struct {
	Links []Link
}

// Link ties an account on a platform to a user, at each boot.
type Link struct {
	Platform       string `json:"platform"`
	PlatformUserID string `json:"platform_user_id"`
	AstridUser     string `json:"astrid_user"` // UUID or display name
	Method         string `json:"method"`
	Origin         Origin `json:"origin"`
}

// Origin returns where the value in force of a key was set. The key of a list or table stands for its last change.
func (c *Config) Origin(key string) Origin { return c.values[key].origin }

// fill copies the merged values into the typed fields. The table in schema.go has checked kinds and ranges.
func (c *Config) fill() {
	seconds := func(key string) time.Duration { return time.Duration(c.whole(key)) * time.Second }
	c.Storage = c.text("storage")
	c.Workspace = Workspace{Mode: c.text("workspace.mode"), HardLinks: c.text("workspace.hard_links")}
	c.Security = Security{
		ApprovalTimeout: seconds("security.approval_timeout_secs"),
		SessionIdle:     seconds("security.session_idle_secs"),
		Policy: Policy{
			BlockedTools:           c.list("security.policy.blocked_tools"),
			BlockedCapsules:        c.list("security.policy.blocked_capsules"),
			ApprovalRequiredTools:  c.list("security.policy.approval_required_tools"),
			AllowedPaths:           c.list("security.policy.allowed_paths"),
			DeniedPaths:            c.list("security.policy.denied_paths"),
			AllowedHosts:           c.list("security.policy.allowed_hosts"),
			DeniedHosts:            c.list("security.policy.denied_hosts"),
			MaxArgumentBytes:       c.whole("security.policy.max_argument_size"),
			RequireApprovalDelete:  c.flag("security.policy.require_approval_for_delete"),
			RequireApprovalNetwork: c.flag("security.policy.require_approval_for_network"),
		},
	}
	c.Secrets = Secrets{Store: c.text("secrets.store")}
	c.Budget = Budget{
		SessionMaxUSD:   c.number("budget.session_max_usd"),
		WorkspaceMaxUSD: c.number("budget.workspace_max_usd"),
		PerActionMaxUSD: c.number("budget.per_action_max_usd"),
		WarnAtPercent:   int(c.whole("budget.warn_at_percent")),
		Tariff:          c.values["budget.tariff"].v.([]Price),
	}
	c.Audit = Audit{Sync: c.text("audit.sync"), CapsuleBytes: c.whole("audit.capsule_mb_per_day") << 20}
	c.HTTP = HTTP{
		Timeout:          seconds("http.timeout_secs"),
		StreamIdle:       seconds("http.stream_idle_secs"),
		MaxResponseBytes: c.whole("http.max_response_bytes"),
	}
	c.Limits = Limits{
		GuestMemoryBytes: c.whole("limits.guest_memory_mb") << 20,
		CallDeadline:     seconds("limits.call_deadline_secs"),
		Mailbox:          int(c.whole("limits.mailbox")),
		CPUPercent:       int(c.whole("limits.cpu_percent")),
		KVBytes:          c.whole("limits.kv_mb") << 20,
		KVKeys:           c.whole("limits.kv_keys"),
	}
	c.Capsules = Capsules{BaseURL: c.text("capsules.base_url"), Timeout: seconds("capsules.timeout_secs"), Watch: c.flag("capsules.watch")}
	c.Sandbox = Sandbox{
		Network:     c.flag("sandbox.network"),
		Read:        c.list("sandbox.read"),
		MemoryBytes: uint64(c.whole("sandbox.memory_mb")) << 20,
		Processes:   uint64(c.whole("sandbox.processes")),
		CPU:         seconds("sandbox.cpu_secs"),
	}
	c.Logging = Logging{Level: abi.LogLevels[c.text("logging.level")], RetentionDays: int(c.whole("logging.retention_days")), CapsuleBytes: c.whole("logging.capsule_mb_per_day") << 20}
	c.Identity = Identity{Links: c.values["identity.links"].v.([]Link)}
}

func (c *Config) text(key string) string    { return c.values[key].v.(string) }
func (c *Config) whole(key string) int64    { return c.values[key].v.(int64) }
func (c *Config) number(key string) float64 { return c.values[key].v.(float64) }
func (c *Config) flag(key string) bool      { return c.values[key].v.(bool) }
func (c *Config) list(key string) []Item    { return c.values[key].v.([]Item) }
