package approval

import (
	"fmt"
	"strconv"
	"strings"
)

func (p *Policy) judgeFile(s *Subject, a *Action) verdict {
	if traverses(a.Path) {
		return hardBlock("no ..", "path %s contains a .. component", Display(a.Path))
	}
	file := p.fold(a.Path)
	if a.InWorkspace {
		if rel, ok := relative(s.Workspace, a.Path); ok {
			if r, hit := p.rules.Ignore.Match(rel); hit {
				return denied(r, IgnoreFile, "path %s is kept from agents", Display(a.Path))
			}
		}
		if a.Kind != FSRead && p.IsIgnoreFile(s.Workspace, a.Path) {
			return hardBlock("ignore file", "agents do not change %s", Display(a.Path))
		}
	}
	for _, r := range p.deniedPaths {
		if r.glob.Match(file) || coversRoot(r.glob.String(), file) {
			return denied(r.Rule, "denied_paths", "path %s is denied", Display(a.Path))
		}
	}
	for _, r := range p.rules.NeverAllow {
		dir := p.fold(r.Value)
		if !under(file, dir) || a.InWorkspace && inside(p.fold(s.Workspace), dir) ||
			inside(p.fold(s.Home), dir) && under(a.Path, s.Home) {
			// A workspace or home that lies inside of such a directory (/root, /var) would be useless otherwise.
			continue
		}
		return denied(r, "never_allow", "path %s is never allowed", Display(a.Path))
	}
	if len(p.allowedPaths) > 0 && !anyPath(p.allowedPaths, a.Path) {
		return denied(p.allowedPaths[0].Rule, "allowed_paths", "path %s is not in allowed_paths", Display(a.Path))
	}
	if a.InWorkspace {
		return p.byMode(a)
	}
	if p.rules.Escape == EscapeDeny {
		return verdict{deny, "escape_policy deny", p.rules.EscapeSource,
			fmt.Sprintf("path %s is outside of the workspace", Display(a.Path))}
	}
	if p.rules.Escape == EscapeAllow {
		return verdict{allow, "escape_policy allow", p.rules.EscapeSource, ""}
	}
	list, name := p.rules.AutoAllowWrite, "auto_allow_write"
	if a.Kind == FSRead {
		list, name = p.rules.AutoAllowRead, "auto_allow_read"
	}
	for _, r := range list {
		if under(a.Path, r.Value) {
			return verdict{allow, name + " " + r.Value, r.Source, ""}
		}
	}
	if a.Kind == FSDelete && p.rules.SkipDeleteApproval {
		return verdict{allow, "require_approval_for_delete false", "", ""}
	}
	return p.byMode(a)
}

// fold gives the spelling that refusals compare.
func (p *Policy) fold(path string) string {
	if p.rules.FoldCase {
		return strings.ToLower(path)
	}
	return path
}

// inside reports whether root is known and lies in dir.
func inside(root, dir string) bool { return root != "" && under(root, dir) }

// coversRoot makes a deny rule `/x/**` deny /x itself.
func coversRoot(rule, p string) bool {
	dir, ok := strings.CutSuffix(rule, "/**")
	return ok && dir != "" && p == dir
}

func anyPath(rules []pathRule, p string) bool {
	for _, r := range rules {
		if r.glob.Match(p) {
			return true
		}
	}
	return false
}

func (p *Policy) judgeNet(a *Action) verdict {
	if traverses(netPath(a.Resource)) {
		return hardBlock("no ..", "%s contains a .. component", Display(a.Resource))
	}
	host, err := canonicalHost(a.Host)
	if err != nil {
		return hardBlock("valid host", "%v", err)
	}
	for _, r := range p.rules.DeniedHosts {
		name, port := splitHostRule(r.Value)
		if (port == 0 || port == a.Port) && hostDenied(name, host) {
			return denied(r, "denied_hosts", "host %s is denied", Display(a.Host))
		}
	}
	if len(p.rules.AllowedHosts) > 0 {
		listed := false
		for _, r := range p.rules.AllowedHosts {
			name, port := splitHostRule(r.Value)
			listed = listed || (port == 0 || port == a.Port) && hostMatches(name, host)
		}
		if !listed {
			return denied(p.rules.AllowedHosts[0], "allowed_hosts", "host %s is not in allowed_hosts", Display(a.Host))
		}
	}
	if p.rules.SkipNetworkApproval {
		return verdict{allow, "require_approval_for_network false", "", ""}
	}
	return p.byMode(a)
}

// splitHostRule splits "host:port"; port 0 means every port. IPv6 addresses with a port need brackets.
func splitHostRule(rule string) (host string, port int) {
	i := strings.LastIndexByte(rule, ':')
	if i < 0 || strings.Count(rule, ":") > 1 && !strings.HasPrefix(rule, "[") {
		return rule, 0
	}
	n, err := strconv.ParseUint(rule[i+1:], 10, 16)
	if err != nil || n == 0 {
		return rule, 0
	}
	return rule[:i], int(n)
}

func checkHostRule(r Rule) error {
	host, _ := splitHostRule(r.Value)
	if err := checkHostName(host); err != nil {
		return fmt.Errorf("%s: host rule %q: write a name, an address, *.domain or host:port", r.Source, r.Value)
	}
	return nil
}

// checkHostName accepts what hostMatches can match: a name, an address, *.domain or *.
func checkHostName(host string) error {
	if host == "*" {
		return nil
	}
	_, err := canonicalHost(strings.TrimPrefix(host, "*."))
	return err
}

// judgeTool decides `mcp:server:tool`.
func (p *Policy) judgeTool(a *Action) verdict {
	q := strings.TrimPrefix(a.Resource, "mcp:")
	server, tool, _ := strings.Cut(q, ":")
	for _, r := range p.rules.BlockedTools {
		if r.Value == q || r.Value == server || r.Value == tool {
			return denied(r, "blocked_tools", "tool %s is blocked", Display(q))
		}
	}
	for _, r := range p.rules.ApprovalRequiredTools {
		if r.Value == q || r.Value == server || r.Value == tool {
			return verdict{ask, "approval_required_tools " + r.Value, r.Source, "this tool always needs approval"}
		}
	}
	return p.byMode(a)
}
