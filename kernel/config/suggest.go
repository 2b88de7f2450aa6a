package config

import (
	"fmt"
	"strings"
)

// retired are sections of v0.5.0 that nothing reads any more, and where their subject went.
var retired = map[string]string{
	"model":       "models are set up in their provider's capsule, with `astrid init` or `astrid capsule config`",
	"runtime":     "prompts and context belong to the capsules that build them",
	"servers":     "MCP servers are listed in etc/servers.toml",
	"hooks":       "hooks are files in etc/hooks",
	"git":         "nothing reads it",
	"keys":        "keys are kept in the keys folder of the home",
	"gateway":     "nothing reads it",
	"timeouts":    "see limits.call_deadline_secs, http.timeout_secs and security.approval_timeout_secs",
	"sessions":    "sessions belong to the session capsule",
	"subagents":   "nothing reads it",
	"retry":       "nothing reads it",
	"rate_limits": "see the limits section",
	"spark":       "nothing reads it",
	"uplinks":     "uplinks are declared by capsules",
}

// unknown says what is wrong with a key that is not in the table, and what was probably meant.
func unknown(path string) string {
	head, _, _ := strings.Cut(path, ".")
	if hint, ok := retired[head]; ok {
		return "unknown key; " + hint
	}
	var names []string
	for _, k := range keys {
		names = append(names, k.path)
		for i, r := range k.path { // sections too: a misspelt header is reported once, not for each key below it
			if r == '.' {
				names = append(names, k.path[:i])
			}
		}
	}
	return "unknown key" + didYouMean(path, names)
}

// didYouMean returns `; did you mean "x"?` for the nearest candidate, or "" if none is near.
func didYouMean(s string, candidates []string) string {
	best, bestDist := "", max(2, len(s)/3)+1
	for _, c := range candidates {
		if d := distance(s, c); d < bestDist {
			best, bestDist = c, d
		}
		// The right name in the wrong section.
		if i := strings.LastIndexByte(c, '.'); i >= 0 && c[i+1:] == s[strings.LastIndexByte(s, '.')+1:] && bestDist > 1 {
			best, bestDist = c, 1
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// distance is the edit distance in bytes, by Wagner and Fischer. Long strings are cut: a name this long is no typing error.
func distance(a, b string) int {
	a, b = a[:min(len(a), 80)], b[:min(len(b), 80)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diag := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diag, row[j+1] = row[j+1], min(diag+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
