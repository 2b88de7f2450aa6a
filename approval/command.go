package approval

import (
	"path"
	"strings"
)

// commandRule is one compiled entry of blocked_tools.
type commandRule struct {
	Rule
	words []string
}

func compileCommand(r Rule) commandRule { return commandRule{r, strings.Fields(r.Value)} }

func (p *Policy) judgeExec(a *Action) verdict {
	for _, arg := range a.Argv {
		if traverses(arg) {
			return hardBlock("no ..", "argument %s contains a .. component", Display(arg))
		}
	}
	name := path.Base(a.Argv[0])
	for _, r := range p.blocked {
		if len(r.words) == 1 && r.words[0] == name {
			return denied(r.Rule, "blocked_tools", "command %s is blocked", Display(name))
		}
	}
	return p.byMode(a)
}
