package config

import (
	"regexp"
	"strings"
)

var varName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// secretWords mark the variables that a project's file does not get.
var secretWords = []string{"KEY", "TOKEN", "SECRET", "PASSW", "CREDENTIAL"}

func openToProjects(name string) bool {
	if !strings.HasPrefix(name, "ASTRID_") && !strings.HasPrefix(name, "ANTHROPIC_") {
		return false
	}
	for _, w := range secretWords {
		if strings.Contains(strings.ToUpper(name), w) {
			return false
		}
	}
	return true
}

// expandVars replaces ${NAME} by what lookup has for it. What it finds is not looked at again, so that a variable's value
// cannot name another. References that cannot be resolved stay as they are; missing is told their names.
func expandVars(s string, lookup func(string) (string, bool), missing func(name string)) string {
	if !strings.Contains(s, "${") {
		return s
	}
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(s, "${")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed || !varName.MatchString(name) {
			b.WriteString("${")
			s = rest
			continue
		}
		if val, ok := lookup(name); ok {
			b.WriteString(val)
		} else {
			b.WriteString("${" + name + "}")
			missing(name)
		}
		s = after
	}
}
