// Capsule agents shows the model the project's instructions for agents.
package main

import (
	"errors"
	"io/fs"
	"strings"
	"unicode/utf8"

	"github.com/unicity-astrid/astrid-go/sdk"
	"github.com/unicity-astrid/astrid-go/sdk/env"
	astridfs "github.com/unicity-astrid/astrid-go/sdk/fs"
	"github.com/unicity-astrid/astrid-go/sdk/ipc"
)

var _ = sdk.On("on_before_prompt_build", onBeforeBuild)

func main() {}

// maxText bounds what is shown of one file, in bytes.
const maxText = 32 << 10

func onBeforeBuild(ctx *sdk.Context, r struct {
	RequestID string `json:"request_id"`
}) error {
	if r.RequestID == "" {
		return errors.New("missing request_id in before_build payload")
	}
	if !ctx.Caller().ProjectTrusted {
		return nil // a stranger's text would speak with the user's voice
	}
	dir := strings.Trim(env.Get("cwd_dir"), "/")
	if dir == "" {
		dir = ".astrid"
	}
	var sections []string
	for _, names := range [][]string{{"AGENTS.md"}, {dir + "/AGENTS.md", dir + "/ASTRID.md"}} {
		for _, name := range names { // of these the first that is there
			b, err := astridfs.ReadFile("cwd://" + name)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				ctx.Warn("Instructions cannot be read", "file", name, "error", err)
			} else if text := strings.ToValidUTF8(string(b), "\uFFFD"); strings.TrimSpace(text) != "" {
				sections = append(sections, "# Instructions of the project ("+name+")\n\n"+clip(text, name))
			}
			break
		}
	}
	if sections == nil {
		return nil
	}
	return ipc.Publish("prompt_builder.v1.hook_response."+r.RequestID, map[string]string{"appendSystemContext": strings.Join(sections, "\n\n")})
}

// clip cuts at a character.
func clip(s, name string) string {
	if len(s) <= maxText {
		return s
	}
	cut := maxText
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "\n\n[cut: the rest is in " + name + "]"
}
