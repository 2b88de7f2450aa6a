package distro

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/unicity-astrid/astrid-go/capsule/stricttoml"
)

// Answers is what the user decided. The zero value takes the first provider of each group and the default of
// each variable.
type Answers struct {
	Groups    map[string][]string // group → names of its members; at least one
	Variables map[string]string   // an empty value means the default
}

// Group is a set of alternative providers.
type Group struct {
	Name    string
	Members []string // in file order
}

// Groups returns the provider groups in file order. One with a single member needs no question.
func (m *Manifest) Groups() []Group {
	var groups []Group
	for _, e := range m.Capsules {
		if e.Group == "" {
			continue
		}
		i := slices.IndexFunc(groups, func(g Group) bool { return g.Name == e.Group })
		if i < 0 {
			groups = append(groups, Group{Name: e.Group})
			i = len(groups) - 1
		}
		groups[i].Members = append(groups[i].Members, e.Name)
	}
	return groups
}

// Select returns the capsules to install, in file order: those without a group and the chosen members of each
// group.
func (m *Manifest) Select(a Answers) ([]Entry, error) {
	chosen := map[string]bool{}
	groups := m.Groups()
	for _, g := range groups {
		picks, asked := a.Groups[g.Name]
		if !asked {
			picks = g.Members[:1]
		}
		if len(picks) == 0 {
			return nil, fmt.Errorf("group %s: choose at least one of %s", g.Name, strings.Join(g.Members, ", "))
		}
		for _, name := range picks {
			if !slices.Contains(g.Members, name) {
				return nil, fmt.Errorf("group %s: %q is not one of %s", g.Name, name, strings.Join(g.Members, ", "))
			}
			chosen[name] = true
		}
	}
	for name := range a.Groups {
		if !slices.ContainsFunc(groups, func(g Group) bool { return g.Name == name }) {
			return nil, fmt.Errorf("there is no group %q", name)
		}
	}
	var out []Entry
	for _, e := range m.Capsules {
		if e.Group == "" || chosen[e.Name] {
			out = append(out, e)
		}
	}
	return out, nil
}

// VariablesOf returns, in alphabetical order, the variables that the given capsules refer to: the questions
// to ask.
func (m *Manifest) VariablesOf(entries []Entry) []string {
	used := map[string]bool{}
	for _, e := range entries {
		for _, value := range e.Env {
			// Parse has checked the templates.
			_, _ = Expand(value, func(name string) (string, error) { used[name] = true; return "", nil })
		}
	}
	names := make([]string, 0, len(used))
	for name := range used {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// gives reports whether the user answered a variable that a template refers to.
func (a Answers) gives(template string) bool {
	given := false
	// Parse has checked the templates.
	_, _ = Expand(template, func(name string) (string, error) {
		given = given || strings.TrimSpace(a.Variables[name]) != ""
		return "", nil
	})
	return given
}

// CheckAnswers refuses variables that the manifest does not have.
func (m *Manifest) CheckAnswers(a Answers) error {
	names := make([]string, 0, len(m.Variables))
	for name := range m.Variables {
		names = append(names, name)
	}
	for name := range a.Variables {
		if _, ok := m.Variables[name]; !ok {
			err := fmt.Errorf("there is no variable %q", name)
			if near := stricttoml.Suggest(name, names); near != "" {
				err = fmt.Errorf("%w; did you mean %q?", err, near)
			}
			return err
		}
	}
	return nil
}

// errUndefined marks a variable with neither answer nor default.
var errUndefined = errors.New("has no value and no default")

// Env returns the configuration of one capsule with all variables replaced. A value that is nothing but an
// unanswered variable is left out, so that the capsule's own default applies; an unanswered variable within
// other text is an error.
func (m *Manifest) Env(e Entry, a Answers) (map[string]string, error) {
	env := map[string]string{}
	for key, value := range e.Env {
		text, err := Expand(value, func(name string) (string, error) { return m.valueOf(name, a) })
		switch {
		case err == nil:
			env[key] = text
		case errors.Is(err, errUndefined) && isSingle(value):
		default:
			return nil, fmt.Errorf("capsule %s: env %s: %w", e.Name, key, err)
		}
	}
	return env, nil
}

func (m *Manifest) valueOf(name string, a Answers) (string, error) {
	if text := strings.TrimSpace(a.Variables[name]); text != "" {
		return text, nil
	}
	if text := m.Variables[name].Default; text != "" {
		return text, nil
	}
	return "", fmt.Errorf("variable %s %w", name, errUndefined)
}

// Expand replaces each {{ name }} by its value, once: a value that looks like a template stays as it is.
func Expand(text string, value func(name string) (string, error)) (string, error) {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, "{{")
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		inner, after, closed := strings.Cut(rest, "}}")
		name := strings.TrimSpace(inner)
		if !closed || !validVariable(name) {
			return "", fmt.Errorf("a template is written {{ variable }}, found %q", "{{"+rest)
		}
		v, err := value(name)
		if err != nil {
			return "", err
		}
		out.WriteString(v)
		text = after
	}
}

// isSingle reports whether text is one template and nothing else.
func isSingle(text string) bool {
	inner, open := strings.CutPrefix(strings.TrimSpace(text), "{{")
	inner, closed := strings.CutSuffix(inner, "}}")
	return open && closed && validVariable(strings.TrimSpace(inner))
}
