package approval

import "slices"

// Tighten returns base made stricter by a workspace's rules. Whatever would loosen base is ignored: the mode and
// escape policy only move towards strict, lists of refusals grow, lists of permissions shrink.
func Tighten(base, ws Rules) Rules {
	r := base
	if ws.Mode < base.Mode {
		r.Mode, r.ModeSource = ws.Mode, ws.ModeSource
	}
	if ws.Escape.strictness() < base.Escape.strictness() {
		r.Escape, r.EscapeSource = ws.Escape, ws.EscapeSource
	}
	r.BlockedTools = union(base.BlockedTools, ws.BlockedTools)
	r.ApprovalRequiredTools = union(base.ApprovalRequiredTools, ws.ApprovalRequiredTools)
	r.DeniedPaths = union(base.DeniedPaths, ws.DeniedPaths)
	r.DeniedHosts = union(base.DeniedHosts, ws.DeniedHosts)
	r.BlockedCapsules = union(base.BlockedCapsules, ws.BlockedCapsules)
	r.NeverAllow = union(base.NeverAllow, ws.NeverAllow)
	r.AllowedPaths = allowlist(base.AllowedPaths, ws.AllowedPaths)
	r.AllowedHosts = allowlist(base.AllowedHosts, ws.AllowedHosts)
	r.AutoAllowRead = subset(base.AutoAllowRead, ws.AutoAllowRead)
	r.AutoAllowWrite = subset(base.AutoAllowWrite, ws.AutoAllowWrite)
	if n := ws.MaxArgumentSize; n > 0 && (base.MaxArgumentSize == 0 || n < base.MaxArgumentSize) {
		r.MaxArgumentSize, r.MaxArgumentSizeSource = n, ws.MaxArgumentSizeSource
	}
	if ws.Ignore != nil {
		r.Ignore = ws.Ignore
	}
	r.FoldCase = base.FoldCase || ws.FoldCase
	r.SkipDeleteApproval = base.SkipDeleteApproval && ws.SkipDeleteApproval
	r.SkipNetworkApproval = base.SkipNetworkApproval && ws.SkipNetworkApproval
	return r
}

func has(list []Rule, value string) bool {
	return slices.ContainsFunc(list, func(r Rule) bool { return r.Value == value })
}

func union(base, more []Rule) []Rule {
	out := slices.Clone(base)
	for _, r := range more {
		if !has(out, r.Value) {
			out = append(out, r)
		}
	}
	return out
}

// subset keeps the entries of base that the workspace repeats; with none given, all of base.
func subset(base, ws []Rule) []Rule {
	if len(ws) == 0 {
		return base
	}
	var out []Rule
	for _, r := range ws {
		if has(base, r.Value) {
			out = append(out, r)
		}
	}
	return out
}

// allowlist: an empty list allows everything, so the first entry of a workspace tightens. With both given only
// common entries remain; if there are none, the workspace's list is ignored, because an empty result would
// allow everything again.
func allowlist(base, ws []Rule) []Rule {
	if len(base) == 0 {
		return ws
	}
	if out := subset(base, ws); len(out) > 0 {
		return out
	}
	return base
}
