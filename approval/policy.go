package approval

import (
	"fmt"
	"strings"
)

// Policy is layer 1, compiled and immutable.
type Policy struct {
	rules   Rules
	capsule map[string]Rule // blocked capsules
	// modeRule is what a decision by the mode names; made once, because it is made often.
	modeRule string

	allowedPaths, deniedPaths []pathRule
	blocked, asking           []commandRule
}

type pathRule struct {
	Rule
	glob *Glob
}

// CompilePolicy checks and compiles rules. A pattern that does not compile is an error that names its place:
// a deny rule that silently never matches would be a hole.
func CompilePolicy(r Rules) (*Policy, error) {
	p := &Policy{rules: r, modeRule: "mode " + r.Mode.String(), capsule: make(map[string]Rule, len(r.BlockedCapsules))}
	if r.Mode > Yolo {
		return nil, fmt.Errorf("%s: %s", r.ModeSource, r.Mode)
	}
	if r.Escape > EscapeAllow {
		return nil, fmt.Errorf("%s: %s", r.EscapeSource, r.Escape)
	}
	if r.MaxArgumentSize < 0 {
		return nil, fmt.Errorf("%s: max_argument_size is negative", r.MaxArgumentSizeSource)
	}
	for _, c := range r.BlockedCapsules {
		p.capsule[c.Value] = c
	}
	var err error
	if p.allowedPaths, err = compilePaths(r.AllowedPaths, false); err != nil {
		return nil, err
	}
	if p.deniedPaths, err = compilePaths(r.DeniedPaths, r.FoldCase); err != nil {
		return nil, err
	}
	for _, b := range r.BlockedTools {
		p.blocked = append(p.blocked, compileCommand(b))
	}
	for _, b := range r.ApprovalRequiredTools {
		p.asking = append(p.asking, compileCommand(b))
	}
	for _, list := range [][]Rule{r.AllowedHosts, r.DeniedHosts} {
		for _, h := range list {
			if err := checkHostRule(h); err != nil {
				return nil, err
			}
		}
	}
	for _, list := range [][]Rule{r.AutoAllowRead, r.AutoAllowWrite, r.NeverAllow} {
		for _, d := range list {
			if err := checkDirRule(d); err != nil {
				return nil, err
			}
		}
	}
	return p, nil
}

func compilePaths(rules []Rule, fold bool) ([]pathRule, error) {
	out := make([]pathRule, 0, len(rules))
	for _, r := range rules {
		text := r.Value
		if fold {
			text = strings.ToLower(text)
		}
		g, err := CompileGlob(text)
		if err != nil {
			return nil, fmt.Errorf("%s: path rule: %w", r.Source, err)
		}
		out = append(out, pathRule{r, g})
	}
	return out, nil
}

// Rules returns what the policy was compiled from. The lists must not be changed.
func (p *Policy) Rules() Rules { return p.rules }

// Mode is the mode in force.
func (p *Policy) Mode() Mode { return p.rules.Mode }

// AtMost is the policy in a mode that is no freer than m. Everything else of it stays. source says where m is set.
func (p *Policy) AtMost(m Mode, source string) *Policy {
	if m >= p.rules.Mode {
		return p
	}
	strict := *p
	strict.rules.Mode, strict.rules.ModeSource, strict.modeRule = m, source, "mode "+m.String()
	return &strict
}

type effect uint8

const (
	deny effect = iota
	ask
	allow
)

// verdict is the policy's answer. rule and source say what decided.
type verdict struct {
	effect       effect
	rule, source string
	reason       string
}

func denied(r Rule, list, format string, args ...any) verdict {
	return verdict{deny, list + " " + r.Value, r.Source, fmt.Sprintf(format, args...)}
}

func hardBlock(rule, format string, args ...any) verdict {
	return verdict{deny, rule, "", fmt.Sprintf(format, args...)}
}

// light is the part of the policy that every class gets. It must stay cheap: it runs for each clock read.
func (p *Policy) light(s *Subject, a *Action) (verdict, bool) {
	if len(p.capsule) > 0 {
		if r, ok := p.capsule[s.Capsule]; ok {
			return denied(r, "blocked_capsules", "capsule %s is blocked", s.Capsule), false
		}
	}
	if limit := p.rules.MaxArgumentSize; limit > 0 && a.Size > limit && sizeLimited(a.Kind) {
		return p.tooLong(a.Size), false
	}
	return verdict{}, true
}

func (p *Policy) tooLong(n int64) verdict {
	limit := p.rules.MaxArgumentSize
	return verdict{deny, fmt.Sprintf("max_argument_size %d", limit), p.rules.MaxArgumentSizeSource,
		fmt.Sprintf("%d bytes of arguments exceed the limit of %d", n, limit)}
}

// sizeLimited: the limit is for arguments of commands and tools. Files and messages have limits of their own.
func sizeLimited(k Kind) bool { return k == Exec || k == MCPTool }

// judge decides a Guarded action that passed light.
func (p *Policy) judge(s *Subject, a *Action) verdict {
	switch a.Kind {
	case FSRead, FSWrite, FSDelete:
		return p.judgeFile(s, a)
	case NetRequest:
		return p.judgeNet(a)
	case Exec:
		return p.judgeExec(a)
	case MCPTool:
		return p.judgeTool(a)
	case Ask:
		if a.Risk == "critical" {
			return verdict{ask, "critical risk", "", "a critical action always needs a human"}
		}
	}
	return p.byMode(a)
}

// byMode is the table of modes.
func (p *Policy) byMode(a *Action) verdict {
	v := verdict{effect: ask, rule: p.modeRule, source: p.rules.ModeSource}
	if p.rules.Mode.lets(a.Kind, a.InWorkspace) {
		v.effect = allow
	}
	return v
}
