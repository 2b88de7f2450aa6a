package approval

import (
	"path"
	"strings"
)

// Concealed says that agents are kept from a path of a workspace, whatever the mode and whatever was allowed.
type Concealed struct {
	Rule
	List string // what the rule is in: denied_paths, allowed_paths or the ignore file
	// Whole: the same holds for everything below.
	Whole bool
}

// Conceals tells whether guests and programs are kept from a path in the workspace. Both are clean, absolute and without links.
func (p *Policy) Conceals(workspace, file string) (Concealed, bool) {
	if rel, ok := relative(workspace, file); ok {
		if r, hit := p.rules.Ignore.Match(rel); hit {
			return Concealed{r, IgnoreFile, true}, true
		}
	}
	folded := p.fold(file)
	for _, r := range p.deniedPaths {
		if r.glob.Match(folded) || coversRoot(r.glob.String(), folded) {
			return Concealed{r.Rule, "denied_paths", true}, true
		}
	}
	if len(p.allowedPaths) > 0 && !anyPath(p.allowedPaths, file) {
		return Concealed{p.allowedPaths[0].Rule, "allowed_paths", false}, true
	}
	return Concealed{}, false
}

// ConcealsSome tells whether anything in the workspace could be concealed, without looking at it.
func (p *Policy) ConcealsSome(workspace string) bool {
	if p.rules.Ignore != nil || len(p.allowedPaths) > 0 {
		return true
	}
	folded := p.fold(workspace)
	for _, r := range p.deniedPaths {
		if r.glob.reaches(folded) {
			return true
		}
	}
	return false
}

// reaches reports whether a pattern could match something at or below dir.
func (g *Glob) reaches(dir string) bool {
	var head []byte
	for _, s := range g.steps {
		if s.kind != literal {
			break
		}
		head = append(head, s.lit)
	}
	n := min(len(head), len(dir))
	return string(head[:n]) == dir[:n]
}

// IsIgnoreFile tells whether a path is the workspace's ignore file, which agents may read and never change.
func (p *Policy) IsIgnoreFile(workspace, file string) bool {
	return p.fold(file) == p.fold(path.Join(workspace, IgnoreFile))
}

func relative(root, file string) (string, bool) {
	if root == "" || !under(file, root) {
		return "", false
	}
	rel := strings.TrimPrefix(file[len(strings.TrimRight(root, "/")):], "/")
	return rel, rel != ""
}
