package config

import (
	"math"

	"github.com/unicity-astrid/astrid-go/abi"
)

// value is one setting in force: string, bool, int64, float64, []Item, []Price or []Link, by the key's kind.
type value struct {
	v      any
	origin Origin
}

// kind is the TOML type that a key takes.
type kind uint8

const (
	text   kind = iota // string
	flag               // boolean
	whole              // integer
	number             // float or integer
	list               // array of strings
	prices             // table of numbers
	links              // array of tables
)

var kindNames = [...]string{"a string", "true or false", "an integer", "a number", "an array of strings", "a table of numbers", "an array of tables"}

func (k kind) String() string { return kindNames[k] }

// key describes one setting. The table below is the whole of the configuration: reading, checking, merging, showing
// and the environment all walk it.
type key struct {
	path string
	kind kind
	def  any
	// tighten says what a project's file may do with the key; nil is nothing at all: it is about the whole daemon, which
	// serves other projects too.
	tighten tighten
	env     string // the environment variable that sets it; "" is none
	check   check
	doc     string
}

var defaultBlocked = []string{"rm -rf /", "rm -rf /*", "sudo", "su", "mkfs", "dd", "chmod 777", "shutdown", "reboot", "init"}

var modes = []string{"safe", "guided", "autonomous", "yolo"} // strictest first

const maxSecs = 7 * 24 * 3600

var keys = []key{
	{"storage", text, "", nil, "ASTRID_STORAGE", storageSpec,
		`where state is kept, as "scheme:rest"; empty is a file in the home`},
	{"workspace.mode", text, "safe", stricter(modes...), "ASTRID_WORKSPACE_MODE", oneOf(modes...),
		"what needs no question: safe, guided, autonomous or yolo"},
	{"workspace.hard_links", text, "public", stricter("none", "public", "all"), "", oneOf("none", "public", "all"),
		"files that have another name outside of the workspace and are read: none, public (those that everybody may read) or all"},

	{"security.approval_timeout_secs", whole, int64(300), nil, "", between(1, maxSecs),
		"how long a question waits for a human before it is put off"},
	{"security.session_idle_secs", whole, int64(600), nil, "", between(0, maxSecs),
		"how long what was allowed for a session outlives the last client in it"},
	{"security.policy.blocked_tools", list, defaultBlocked, union, "", items(notBlank),
		"commands and tools that never run"},
	{"security.policy.blocked_capsules", list, []string{}, union, "", items(notBlank),
		"capsules whose actions are always refused"},
	{"security.policy.approval_required_tools", list, []string{}, union, "", items(notBlank),
		"tools that always need a human"},
	{"security.policy.allowed_paths", list, []string{}, subset, "", items(notBlank),
		"globs of files that may be touched at all; empty is all"},
	{"security.policy.denied_paths", list, []string{"/etc/**", "/boot/**", "/sys/**", "/proc/**", "/dev/**"}, union, "", items(notBlank),
		"globs of files that are never touched"},
	{"security.policy.allowed_hosts", list, []string{}, subset, "", items(notBlank),
		"hosts that may be reached at all; empty is all"},
	{"security.policy.denied_hosts", list, []string{}, union, "", items(notBlank),
		"hosts that are never reached"},
	{"security.policy.max_argument_size", whole, int64(1 << 20), atMostOrUnlimited, "", between(0, math.MaxInt32),
		"bytes of a command's arguments; 0 is no limit"},
	{"security.policy.require_approval_for_delete", flag, true, onlyTrue, "", nil,
		"deleting a file always needs a human"},
	{"security.policy.require_approval_for_network", flag, true, onlyTrue, "", nil,
		"reaching the network always needs a human"},

	{"secrets.store", text, "auto", nil, "ASTRID_SECRETS_STORE", oneOf("auto", "file", "keyring"),
		"where the key to a new home's secrets is kept: auto, file or keyring"},

	{"budget.session_max_usd", number, 100.0, atMost, "ASTRID_BUDGET_SESSION_MAX_USD", amount(10000),
		"what one session may spend"},
	{"budget.workspace_max_usd", number, 0.0, atMostOrUnlimited, "ASTRID_BUDGET_WORKSPACE_MAX_USD", amountOrZero(1e6),
		"what all sessions of a workspace may spend; 0 is no limit"},
	{"budget.per_action_max_usd", number, 10.0, atMost, "ASTRID_BUDGET_PER_ACTION_MAX_USD", amount(10000),
		"what one action may cost"},
	{"budget.warn_at_percent", whole, int64(80), nil, "", between(0, 100),
		"share of a budget from which on its use is reported"},
	{"budget.tariff", prices, map[string]float64{}, dearer, "", nil,
		"least cost in USD of one request, by host"},

	{"audit.sync", text, "group", nil, "ASTRID_AUDIT_SYNC", oneOf("always", "group"),
		"when an entry counts as written: group or always"},
	{"audit.capsule_mb_per_day", whole, int64(512), nil, "", between(1, 1<<20),
		"what one capsule's calls may add to the audit log for one principal on one day, in MiB"},

	{"http.timeout_secs", whole, int64(abi.HTTPTimeout.Seconds()), nil, "", between(1, 3600),
		"for a request of a capsule, or until a stream begins"},
	{"http.stream_idle_secs", whole, int64(abi.HTTPChunkTimeout.Seconds()), nil, "", between(1, 3600),
		"for the next piece of a stream"},
	{"http.max_response_bytes", whole, int64(abi.MaxValue), nil, "", between(1024, abi.MaxValue),
		"size of a response that is not streamed"},

	{"limits.guest_memory_mb", whole, int64(abi.MaxMemoryPages * 64 / 1024), nil, "", between(1, 4096),
		"memory of one instance of a capsule, in MiB"},
	{"limits.call_deadline_secs", whole, int64(abi.CallDeadline.Seconds()), nil, "", between(1, 24*3600),
		"for one call of a capsule"},
	{"limits.cpu_percent", whole, int64(100), nil, "", between(0, 6400),
		"share of one processor that a capsule gets for one principal in the long run; 0 is no limit"},
	{"limits.kv_mb", whole, int64(256), nil, "", between(1, 1<<20),
		"what one capsule may keep for one principal in the key-value store, in MiB"},
	{"limits.kv_keys", whole, int64(100_000), nil, "", between(1, 1<<30),
		"keys that one capsule may keep for one principal"},
	{"limits.mailbox", whole, int64(abi.DefaultMailbox), nil, "", between(1, 1<<16),
		"messages that may wait for one capsule"},

	{"capsules.base_url", text, "https://github.com", nil, "ASTRID_CAPSULES_BASE_URL", baseURL,
		"where the releases of @org/name are: a mirror, or a server of your own"},
	{"capsules.timeout_secs", whole, int64(30), nil, "", between(1, 3600),
		"how long a server of capsules may send nothing"},
	{"capsules.watch", flag, true, nil, "", nil,
		"a running daemon takes changes of installed capsules and their settings by itself"},

	{"sandbox.network", flag, false, onlyFalse, "", nil,
		"programs that capsules start may use the network of the machine"},
	{"sandbox.read", list, []string{}, nil, "", items(absolute),
		"directories that programs may read besides the system's and the workspace"},
	{"sandbox.memory_mb", whole, int64(4096), atMost, "", between(256, 1<<20),
		"private memory of one program, in MiB"},
	{"sandbox.processes", whole, int64(1024), atMost, "", between(64, 1<<20),
		"processes and threads of all programs of a session"},
	{"sandbox.cpu_secs", whole, int64(3600), atMost, "", between(1, maxSecs),
		"processor time of one program"},

	{"logging.level", text, "info", nil, "ASTRID_LOG_LEVEL", oneOf("trace", "debug", "info", "warn", "error"),
		"trace, debug, info, warn or error"},
	{"logging.capsule_mb_per_day", whole, int64(16), nil, "", between(1, 1<<20),
		"what one capsule may log for one principal on one day, in MiB"},
	{"logging.retention_days", whole, int64(7), nil, "", between(1, 3650),
		"days for which logs are kept"},

	{"identity.links", links, nil, nil, "", nil,
		"accounts on platforms and the users they belong to"},
}

// byPath finds a key by its dotted path.
var byPath = func() map[string]*key {
	m := make(map[string]*key, len(keys))
	for i := range keys {
		m[keys[i].path] = &keys[i]
	}
	return m
}()

// defaults is the lowest layer.
func defaults() map[string]value {
	m := make(map[string]value, len(keys))
	for _, k := range keys {
		v := k.def
		switch d := v.(type) {
		case []string:
			v = itemsAt(d, Origin{})
		case map[string]float64:
			v = []Price{}
		case nil:
			v = []Link{}
		}
		m[k.path] = value{v: v}
	}
	return m
}

func itemsAt(vals []string, at Origin) []Item {
	out := make([]Item, len(vals))
	for i, v := range vals {
		out[i] = Item{Value: v, Origin: at}
	}
	return out
}
