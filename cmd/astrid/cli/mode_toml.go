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

// setTOML sets a string key of a table in a TOML text and leaves everything else, comments
// too, as it is. Editing text is a guess; what comes out is read again and compared, and
// an edit that changed anything else is refused.
func setTOML(text, section, key, value string) (string, error) {
	before := map[string]any{}
	if _, err := toml.Decode(text, &before); err != nil {
		return "", err
	}
	want := maps.Clone(before)
	table := map[string]any{}
	if old, ok := before[section].(map[string]any); ok {
		table = maps.Clone(old)
	} else if before[section] != nil {
		return "", fmt.Errorf("%s is not a table", section)
	}
	table[key] = value
	want[section] = table
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
	return "", fmt.Errorf("%s.%s: %w", section, key, errByHand)
}

func sectionHeader(section string) *regexp.Regexp {
	return regexp.MustCompile(`^\s*\[\s*` + regexp.QuoteMeta(section) + `\s*\]\s*(#.*)?$`)
}

// assignment matches a key with a string on one line: what is before the value, and after it.
func assignment(key string) *regexp.Regexp {
	return regexp.MustCompile(`^(\s*` + key + `\s*=\s*)(?:"[^"\\]*"|'[^']*')(\s*(?:#.*)?\r?)$`)
}

// replaceInTable changes the value below the table's header.
func replaceInTable(text, section, key, value string) (string, bool) {
	lines := strings.Split(text, "\n")
	header, in := sectionHeader(section), false
	assign := assignment(regexp.QuoteMeta(key))
	for i, l := range lines {
		if tableHeader.MatchString(l) {
			in = header.MatchString(strings.TrimRight(l, "\r"))
			continue
		}
		if m := assign.FindStringSubmatch(l); in && m != nil {
			lines[i] = m[1] + `"` + value + `"` + m[2]
			return strings.Join(lines, "\n"), true
		}
	}
	return "", false
}

// replaceDotted changes a key written as section.key before all tables.
func replaceDotted(text, section, key, value string) (string, bool) {
	lines := strings.Split(text, "\n")
	assign := assignment(regexp.QuoteMeta(section) + `\s*\.\s*` + regexp.QuoteMeta(key))
	for i, l := range lines {
		if tableHeader.MatchString(l) {
			return "", false
		}
		if m := assign.FindStringSubmatch(l); m != nil {
			lines[i] = m[1] + `"` + value + `"` + m[2]
			return strings.Join(lines, "\n"), true
		}
	}
	return "", false
}

// insertInTable adds the key below the table's header.
func insertInTable(text, section, key, value string) (string, bool) {
	lines := strings.Split(text, "\n")
	header := sectionHeader(section)
	for i, l := range lines {
		if header.MatchString(strings.TrimRight(l, "\r")) {
			lines = append(lines[:i+1], append([]string{key + ` = "` + value + `"`}, lines[i+1:]...)...)
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
	return fmt.Sprintf("%s[%s]\n%s = %q\n", text, section, key, value), true
}
