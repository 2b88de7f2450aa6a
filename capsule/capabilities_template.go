package capsule

import (
	"fmt"
	"strings"
)

// template returns the key of a "{{ key }}" entry.
func template(entry string) (key string, templated bool, err error) {
	if !strings.Contains(entry, "{{") && !strings.Contains(entry, "}}") {
		return "", false, nil
	}
	inner, open := strings.CutPrefix(strings.TrimSpace(entry), "{{")
	inner, closed := strings.CutSuffix(inner, "}}")
	key = strings.TrimSpace(inner)
	if !open || !closed || key == "" || strings.ContainsAny(key, "{} \t") {
		return "", false, fmt.Errorf("entry %q: a template must be the whole entry, as in \"{{ base_url }}\"", entry)
	}
	return key, true, nil
}

// ProcessText is an entry of host_process for people: of one that stands for a setting the command lines that it is with env.
func ProcessText(entry string, env map[string]string) string {
	key, templated, err := template(entry)
	if err != nil || !templated {
		return entry
	}
	c := Capabilities{HostProcess: []string{entry}}
	lines, err := c.ResolveProcess(env)
	if err != nil || len(lines) == 0 {
		return entry + ", which is not set"
	}
	return strings.Join(lines, " and ") + " by the setting " + key
}

// ResolveProcess compiles the host_process list. An entry is a program with the arguments that must come first, or "{{ key }}": the
// command lines that the user gave for the [env] key, one a line as "NAME: PROGRAM ARGUMENTS", of which the name is the capsule's.
// Words are separated by blanks; there are no quotes.
func (c *Capabilities) ResolveProcess(env map[string]string) ([]string, error) {
	var out []string
	for _, entry := range c.HostProcess {
		key, templated, err := template(entry)
		if err != nil {
			return nil, err
		}
		if !templated {
			out = append(out, entry)
			continue
		}
		for i, line := range strings.Split(env[key], "\n") {
			if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			name, command, ok := strings.Cut(line, ":")
			words := strings.Fields(command)
			if !ok || strings.ContainsAny(name, " \t") || len(words) == 0 {
				return nil, fmt.Errorf("capability host_process %q: env %s, line %d: want NAME: PROGRAM ARGUMENTS", entry, key, i+1)
			}
			out = append(out, strings.Join(words, " "))
		}
	}
	return out, nil
}
