package stricttoml

import (
	"strings"
	"testing"
)

// A file of a few hundred kilobytes must not take the parser's stack, or memory by the square of its depth.
func TestDeepNestingIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"arrays":        "a = " + strings.Repeat("[", 200_000),
		"inline tables": "a = " + strings.Repeat("{ a = ", 200_000),
		"both":          "a = " + strings.Repeat("[{ a = ", 200_000),
		"dotted key":    strings.Repeat("a.", 200_000) + "a = 1",
		"quoted key":    strings.Repeat(`"a" . `, 200_000) + "a = 1",
		"header":        "[" + strings.Repeat("a.", 200_000) + "a]",
		"lines":         "a = " + strings.Repeat("[ # ]\n", 200_000),
		"after strings": "b = '''\n]]]'''\nc = \"]\\\"]\"\na = " + strings.Repeat("[", 200_000),
	} {
		_, err := Parse("Capsule.toml", []byte(text))
		if err == nil || !strings.Contains(err.Error(), "deeper") || !strings.HasPrefix(err.Error(), "Capsule.toml:") {
			t.Errorf("%s: %.200v", name, err)
		}
	}
	// Brackets and dots that nest nothing.
	for name, text := range map[string]string{
		"in strings":  "a = '" + strings.Repeat("[.", 1000) + "'\nb = \"\"\"" + strings.Repeat("\n{.", 1000) + "\"\"\"",
		"in comments": "# " + strings.Repeat("[.", 1000) + "\na = 1",
		"in a row":    "a = [" + strings.Repeat("[1.5], ", 1000) + "]",
		"tables":      strings.Repeat("[[a.b]]\nc.d = 1.5\n", 1000),
	} {
		if _, err := Parse("Capsule.toml", []byte(text)); err != nil {
			t.Errorf("%s: %.200v", name, err)
		}
	}
}
