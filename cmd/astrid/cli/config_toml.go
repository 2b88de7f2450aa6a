package cli

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"strings"

	"github.com/BurntSushi/toml"
)

var (
	tableHeader = regexp.MustCompile(`^\s*\[`)
	// errByHand: the file is written in a way that is not edited here.
	errByHand = errors.New("it cannot be changed without touching the rest of the file: edit it by hand")
)

// setTOML sets a key of a table in a TOML text to a value, written as TOML on one line, and
// leaves everything else, comments too, as it is. The section "" is what stands before all
// tables. Editing text is a guess; what comes out is read again and compared, and an edit
// that changed anything else is refused.
func setTOML(text, section, key, value string) (string, error) {
	before := map[string]any{}
	if _, err := toml.Decode(text, &before); err != nil {
		return "", err
	}
	var parsed map[string]any
	if _, err := toml.Decode("v = "+value, &parsed); err != nil {
		return "", err
	}
	path := []string{key}
	if section != "" {
		path = append(strings.Split(section, "."), key)
	}
	want, err := withValue(before, path, parsed["v"])
	if err != nil {
		return "", err
	}
	for _, edit := range []func(string, string, string, string) (string, bool){replaceInTable, replaceDotted, insertInTable, appendTable} {
		out, ok := edit(text, section, key, value)
		if !ok {
			continue
		}
		after := map[string]any{}
		if _, err := toml.Decode(out, &after); err == nil && reflect.DeepEqual(after, want) {
			return out, nil
		}
	}
	return "", fmt.Errorf("%s: %w", strings.Join(path, "."), errByHand)
}

// withValue is a copy of a tree with one value set.
func withValue(tree map[string]any, path []string, value any) (map[string]any, error) {
	out := maps.Clone(tree)
	if out == nil {
		out = map[string]any{}
	}
	if len(path) == 1 {
		out[path[0]] = value
		return out, nil
	}
	below, ok := tree[path[0]].(map[string]any)
	if !ok && tree[path[0]] != nil {
		return nil, fmt.Errorf("%s is not a table", path[0])
	}
	changed, err := withValue(below, path[1:], value)
	out[path[0]] = changed
	return out, err
}

func sectionHeader(section string) *regexp.Regexp {
	return regexp.MustCompile(`^\s*\[\s*` + regexp.QuoteMeta(section) + `\s*\]\s*(#.*)?$`)
}

// assignment matches a key with a string, a number, a boolean or a list without comments on
// one line: what is before the value, and after it.
func assignment(key string) *regexp.Regexp {
	return regexp.MustCompile(`^(\s*` + key + `\s*=\s*)(?:"[^"\\]*"|'[^']*'|\[[^\[\]#]*\]|[^\s#"'\[\]{}]+)(\s*(?:#.*)?\r?)$`)
}

// replaceInTable changes the value below the table's header.
func replaceInTable(text, section, key, value string) (string, bool) {
	lines := strings.Split(text, "\n")
	header, in := sectionHeader(section), section == ""
	assign := assignment(regexp.QuoteMeta(key))
	for i, l := range lines {
		if tableHeader.MatchString(l) {
			in = header.MatchString(strings.TrimRight(l, "\r"))
			continue
		}
		if m := assign.FindStringSubmatch(l); in && m != nil {
			lines[i] = m[1] + value + m[2]
			return strings.Join(lines, "\n"), true
		}
	}
	return "", false
}

// replaceDotted changes a key written as section.key before all tables.
func replaceDotted(text, section, key, value string) (string, bool) {
	lines := strings.Split(text, "\n")
	dotted := strings.ReplaceAll(regexp.QuoteMeta(section), `\.`, `\s*\.\s*`)
	assign := assignment(dotted + `\s*\.\s*` + regexp.QuoteMeta(key))
	for i, l := range lines {
		if tableHeader.MatchString(l) {
			return "", false
		}
		if m := assign.FindStringSubmatch(l); m != nil {
			lines[i] = m[1] + value + m[2]
			return strings.Join(lines, "\n"), true
		}
	}
	return "", false
}

// insertInTable adds the key below the table's header.
func insertInTable(text, section, key, value string) (string, bool) {
	if section == "" {
		return key + " = " + value + "\n" + text, true
	}
	lines := strings.Split(text, "\n")
	header := sectionHeader(section)
	for i, l := range lines {
		if header.MatchString(strings.TrimRight(l, "\r")) {
			lines = append(lines[:i+1], append([]string{key + " = " + value}, lines[i+1:]...)...)
			return strings.Join(lines, "\n"), true
		}
	}
	return "", false
}

// appendTable adds the table at the end.
func appendTable(text, section, key, value string) (string, bool) {
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	if text != "" {
		text += "\n"
	}
	return fmt.Sprintf("%s[%s]\n%s = %s\n", text, section, key, value), section != ""
}
