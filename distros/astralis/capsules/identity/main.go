// Capsule identity writes the beginning of the system prompt: who the agent is, and where it
// works.
package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk"
	"github.com/unicity-astrid/astrid-go/sdk/ipc"
)

var (
	_ = sdk.On("handle_build_request", handleBuild)
	_ = sdk.On("handle_command", handleCommand)
	_ = sdk.Tool("save_identity", "Save the agent's identity, all five parts at once. Call this at the end of the identity setup, also when the user skips it.", saveIdentity, sdk.Mutable())
)

func main() {}

// work is what the agent is told whoever it is.
const work = "You work in the user's project. Paths are relative to its root. " +
	"What you write goes to a copy that the user reviews and commits. " +
	"Use the tools to look things up rather than to guess, and say plainly when something failed or was denied."

const onboarding = "# Identity setup\n\n" +
	"You have no identity yet. If the user greets you or asks who you are, offer once to find one together: ask one open question about how they " +
	"like to work, derive name, character and focus from the answer, show them, adjust, and then always call save_identity, also when the user " +
	"skips it. When the user has a task, do the task first."

func handleBuild(ctx *sdk.Context, r struct {
	WorkspaceRoot string `json:"workspace_root"`
	Directory     string `json:"directory"` // where the user is
	SessionID     string `json:"session_id"`
}) error {
	s, known := current(ctx)
	return ipc.Publish(abi.TopicSparkReady, map[string]string{"prompt": prompt(s, known, r.WorkspaceRoot, r.Directory), "session_id": r.SessionID})
}

// prompt puts the parts together.
func prompt(s spark, known bool, root, directory string) string {
	name := "You are " + s.Callsign
	if s.Callsign == "" {
		name = "You are Astrid"
	}
	if s.Class != "" {
		name += ", " + s.Class
	}
	parts := []string{name + ". " + work}
	for _, p := range []struct{ head, text string }{
		{"Personality", s.Aura}, {"Communication Style", s.Signal}, {"Core Directives", s.Core},
	} {
		if known && strings.TrimSpace(p.text) != "" {
			parts = append(parts, "# "+p.head+"\n"+p.text)
		}
	}
	environment := "# Environment\n"
	if root != "" {
		root = strings.TrimRight(root, "/")
		environment += "- Current working directory: " + root + "\n"
		if sub, below := strings.CutPrefix(directory, root+"/"); below && sub != "" {
			environment += "- The user is in its subdirectory " + strconv.Quote(sub) + " and may mean paths from there\n"
		}
	}
	parts = append(parts, environment+"- Platform: astrid-os")
	if !known {
		parts = append(parts, onboarding)
	}
	return strings.Join(parts, "\n\n")
}

func saveIdentity(_ *sdk.Context, s spark) (map[string]string, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	if s.Callsign == "" { // skipped: it is not asked for again
		s.Callsign = defaults.Callsign
	}
	if err := s.save(); err != nil {
		return nil, err
	}
	return map[string]string{"status": "ok", "callsign": s.Callsign}, nil
}

func handleCommand(ctx *sdk.Context, in abi.UserInput) error {
	var text string
	switch strings.TrimPrefix(strings.TrimSpace(in.Text), "/") {
	case "identity-export":
		s, _ := current(ctx)
		if s.Callsign == "" {
			s = defaults
		}
		if err := s.save(); err != nil {
			text = "Identity was not exported: " + err.Error()
		} else {
			text = fmt.Sprintf("Identity exported to %s (%d bytes)", path, len(s.toml()))
		}
	case "identity-import":
		if s, err := load(); err != nil {
			text = "Identity was not imported: " + err.Error()
		} else {
			text = fmt.Sprintf("Identity imported from %s (callsign: %s)", path, s.Callsign)
		}
	default:
		return nil // another capsule's command
	}
	return ipc.PublishTagged(abi.TopicAgentResponse, abi.AgentResponse{Text: text, IsFinal: true, SessionID: in.SessionID})
}
