package sandbox

import (
	"path/filepath"
	"slices"
	"strings"
)

// passed are the variables that children get from the user's environment. Anything else may be a secret.
var passed = []string{"LANG", "LANGUAGE", "TZ", "USER", "LOGNAME"}

// childEnv is the environment of a sandboxed child, sorted.
func (o *Options) childEnv() []string {
	env := []string{
		"HOME=" + o.Home,
		"PATH=" + strings.Join(o.searchPath(), string(filepath.ListSeparator)),
		"PWD=" + o.Workspace,
		"SHELL=/bin/sh",
		"TERM=dumb", // output goes to a model, not to a screen
		"TMPDIR=/tmp",
		"GIT_TERMINAL_PROMPT=0", // nobody could answer
		"GIT_OPTIONAL_LOCKS=0",
		"PAGER=cat",
	}
	for _, kv := range o.Environ {
		name, _, _ := strings.Cut(kv, "=")
		if slices.Contains(passed, name) || strings.HasPrefix(name, "LC_") {
			env = append(env, kv)
		}
	}
	slices.Sort(env)
	return env
}

// bareEnv is the environment of a child outside of the sandbox: all but what opens the daemon's own doors.
func (o *Options) bareEnv() []string {
	var env []string
	for _, kv := range o.Environ {
		name, _, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(name, "ASTRID_") && name != "PWD" {
			env = append(env, kv)
		}
	}
	env = append(env, "PWD="+o.Workspace)
	slices.Sort(env)
	return env
}

// lookupEnv returns the last value of a variable, as a new process would.
func lookupEnv(env []string, name string) string {
	for _, kv := range slices.Backward(env) {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			return v
		}
	}
	return ""
}
