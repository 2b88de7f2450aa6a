package approval

import "runtime"

// Rule is one entry of a list in the configuration, with the place that set it.
type Rule struct {
	Value  string
	Source string // file:line; "" for built-in ones
}

// Rules is the policy as configured: the keys of `[security.policy]` and `[workspace]`. The zero value is the
// strictest mode with no lists.
type Rules struct {
	Mode         Mode
	ModeSource   string
	Escape       Escape
	EscapeSource string

	BlockedTools          []Rule // programs, commands (`rm -rf /`), MCP servers, tools, `server:tool`
	ApprovalRequiredTools []Rule // MCP servers, tools, `server:tool`, programs: asked for in every mode
	AllowedPaths          []Rule // globs; when there are any, other paths are refused
	DeniedPaths           []Rule // globs; `/x/**` denies /x too
	AllowedHosts          []Rule // names, `*.domain`, `host:port`; when there are any, others are refused
	DeniedHosts           []Rule // the same; a domain denies every name below it
	BlockedCapsules       []Rule // capsule ids
	AutoAllowRead         []Rule // directories outside of the workspace that need no question
	AutoAllowWrite        []Rule
	NeverAllow            []Rule // directories; beat everything except a workspace inside of them

	// Ignore is what the workspace's own ignore file says; nil is nothing.
	Ignore *Ignore

	// FoldCase compares denied_paths, never_allow and the ignore file without case: file systems of macOS find /ETC in /etc.
	FoldCase bool

	MaxArgumentSize       int64 // bytes; 0 = unlimited
	MaxArgumentSizeSource string

	// SkipDeleteApproval and SkipNetworkApproval are the configuration's require_approval_for_delete and
	// require_approval_for_network turned round, so that the zero value asks.
	SkipDeleteApproval  bool
	SkipNetworkApproval bool
}

// DefaultRules are the built-in values of the configuration.
func DefaultRules() Rules {
	return Rules{
		BlockedTools: builtin("rm -rf /", "rm -rf /*", "sudo", "su", "doas", "mkfs", "dd", "chmod 777",
			"shutdown", "reboot", "init"),
		DeniedPaths:     builtin("/etc/**", "/boot/**", "/sys/**", "/proc/**", "/dev/**"),
		MaxArgumentSize: 1 << 20,
		FoldCase:        runtime.GOOS == "darwin" || runtime.GOOS == "windows",
	}
}

func builtin(values ...string) []Rule {
	rules := make([]Rule, len(values))
	for i, v := range values {
		rules[i] = Rule{Value: v}
	}
	return rules
}
