package main

import (
	"strconv"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/distros/astralis/provider"
	"github.com/unicity-astrid/astrid-go/sdk/env"
)

// thinking is the field of that name.
type thinking struct {
	Type    string `json:"type"`
	Budget  uint64 `json:"budget_tokens,omitempty"`
	Display string `json:"display,omitempty"`
}

// leastBudget is the smallest budget that the API takes, in tokens.
const leastBudget = 1024

// thinkingOf reads the setting of that name: auto, off, adaptive, or a number of tokens.
func thinkingOf(model string, maxTokens uint64) (*thinking, error) {
	// Newer models send what they think only if they are asked to.
	adaptive := &thinking{Type: "adaptive", Display: "summarized"}
	switch s := strings.TrimSpace(env.Get("thinking")); s {
	case "", "auto":
		if !thinksByItself(model) {
			return nil, nil
		}
		return adaptive, nil
	case "adaptive":
		return adaptive, nil
	case "off":
		return &thinking{Type: "disabled"}, nil
	default:
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil || n < leastBudget || n >= maxTokens {
			return nil, provider.Fail(abi.LlmConfig, "thinking %q is none of auto, off and adaptive, nor a number from %d to less than max_output_tokens (%d)", s, leastBudget, maxTokens)
		}
		return &thinking{Type: "enabled", Budget: n}, nil
	}
}

// thinksByItself tells whether a model decides how much to think, as all do since version
// 4.6. Names are claude-FAMILY-MAJOR[-MINOR][-DATE]. Source: Anthropic, "Adaptive thinking".
func thinksByItself(model string) bool {
	var version []int
	for _, part := range strings.Split(model, "-") {
		if n, err := strconv.Atoi(part); err == nil && len(part) <= 2 {
			version = append(version, n)
		}
	}
	switch {
	case !strings.HasPrefix(model, "claude-") || len(version) == 0:
		return false
	case len(version) == 1:
		return version[0] >= 5
	}
	return version[0] > 4 || version[0] == 4 && version[1] >= 6
}
