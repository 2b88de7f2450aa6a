// Capsule skills lists and reads skills, which are instructions for a kind of task: directories
// with a SKILL.md.
package main

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/unicity-astrid/astrid-go/sdk"
	"github.com/unicity-astrid/astrid-go/sdk/ipc"
)

var (
	_ = sdk.Describe("Skills are instructions for kinds of tasks. Read the one that fits before you begin.")
	_ = sdk.On("on_before_prompt_build", onBeforeBuild)
	_ = sdk.Tool("list_skills", "List the skills there are, with what each is for.", listSkills)
	_ = sdk.Tool("read_skill", "Read a skill's instructions.", readSkill)
)

func main() {}

const (
	maxListed = 100      // skills in the prompt
	maxText   = 64 << 10 // bytes of one SKILL.md that are shown
	maxWords  = 300      // bytes of a description in the prompt
)

func onBeforeBuild(ctx *sdk.Context, r struct {
	RequestID string `json:"request_id"`
}) error {
	if r.RequestID == "" {
		return errors.New("missing request_id in before_build payload")
	}
	all, err := find(nil)
	if err != nil || len(all) == 0 {
		return err
	}
	var b strings.Builder
	b.WriteString("# Skills\n\nRead the skill that fits with read_skill before you begin such a task.\n")
	for i, s := range all {
		if i == maxListed {
			fmt.Fprintf(&b, "\n[%d more: list_skills]", len(all)-i)
			break
		}
		fmt.Fprintf(&b, "\n- %s: %s", s.ID, clip(s.Description, maxWords))
	}
	return ipc.Publish("prompt_builder.v1.hook_response."+r.RequestID, map[string]string{"appendSystemContext": b.String()})
}

type listArgs struct {
	DirPath *string `json:"dir_path" desc:"Directory that holds skills; default all usual ones"`
}

func listSkills(_ *sdk.Context, a listArgs) ([]skill, error) {
	all, err := find(a.DirPath)
	if all == nil {
		all = []skill{}
	}
	return all, err
}

type readArgs struct {
	SkillID string  `json:"skill_id" desc:"Id of the skill, as listed"`
	DirPath *string `json:"dir_path" desc:"Directory that holds it; default all usual ones"`
}

func readSkill(_ *sdk.Context, a readArgs) (string, error) {
	if err := checkID(a.SkillID); err != nil {
		return "", err
	}
	dirs, err := places(a.DirPath)
	if err != nil {
		return "", err
	}
	for _, dir := range dirs {
		text, ok, err := load(dir, a.SkillID)
		if err != nil {
			return "", fmt.Errorf("skill %q: %w", a.SkillID, err)
		}
		if ok {
			if len(text) > maxText {
				path := dir + "/" + a.SkillID + "/SKILL.md"
				return clip(text, maxText) + fmt.Sprintf("\n[cut at %d of %d bytes: the rest is in %s]", maxText, len(text), path), nil
			}
			return text, nil
		}
	}
	return "", fmt.Errorf("there is no skill %q in %s: list_skills shows what there is", a.SkillID, strings.Join(dirs, ", "))
}

// clip cuts at a character.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit] + "…"
}
