package config

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
)

// Entry is one key as `astrid config show` prints it.
type Entry struct {
	Key    string `json:"key"`
	Value  any    `json:"value"`
	Origin Origin `json:"origin"`
	Doc    string `json:"-"`
}

// Entries returns every key with the value in force, in the order of the files' sections. A section or a key of one
// selects; "" is everything.
func (c *Config) Entries(section string) ([]Entry, error) {
	var out []Entry
	for _, k := range keys {
		if section == "" || k.path == section || strings.HasPrefix(k.path, section+".") {
			v := c.values[k.path]
			out = append(out, Entry{Key: k.path, Value: v.v, Origin: v.origin, Doc: k.doc})
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("config: %s: %s", section, unknown(section))
	}
	return out, nil
}

// EnvVars returns the variables that set a key, and which one.
func EnvVars() map[string]string {
	m := map[string]string{}
	for _, k := range keys {
		if k.env != "" {
			m[k.env] = k.path
		}
	}
	return m
}

// ShowOptions says which comments WriteTOML adds.
type ShowOptions struct {
	Origins bool // behind each value, and each entry of a list: where it was set
	Docs    bool // above each key: what it means
}

// WriteTOML writes entries as a file that Load reads back to the same values.
func WriteTOML(w io.Writer, entries []Entry, o ShowOptions) error {
	var b strings.Builder
	section := ""
	for _, e := range entries {
		i := strings.LastIndexByte(e.Key, '.')
		name, in := e.Key[i+1:], e.Key[:max(i, 0)]
		if in != section && !isTable(e.Value) {
			fmt.Fprintf(&b, "\n[%s]\n", in)
			section = in
		}
		if o.Docs {
			fmt.Fprintf(&b, "# %s\n", e.Doc)
		}
		writeEntry(&b, e, name, o.Origins)
		if isTable(e.Value) { // it opened a section of its own, or may be followed by keys that are not in it
			section = e.Key
		}
	}
	_, err := io.WriteString(w, strings.TrimPrefix(b.String(), "\n"))
	return err
}

func isTable(v any) bool {
	switch v.(type) {
	case []Price, []Link:
		return true
	}
	return false
}

func writeEntry(b *strings.Builder, e Entry, name string, origins bool) {
	note := func(o Origin) string {
		if origins {
			return "  # " + o.String()
		}
		return ""
	}
	switch v := e.Value.(type) {
	case []Item:
		if len(v) == 0 {
			fmt.Fprintf(b, "%s = []%s\n", name, note(e.Origin))
			return
		}
		fmt.Fprintf(b, "%s = [\n", name)
		for _, it := range v {
			fmt.Fprintf(b, "  %s,%s\n", quote(it.Value), note(it.Origin))
		}
		b.WriteString("]\n")
	case []Price:
		fmt.Fprintf(b, "\n[%s]\n", e.Key)
		for _, p := range v {
			fmt.Fprintf(b, "%s = %s%s\n", quote(p.Host), float(p.USD), note(p.Origin))
		}
	case []Link:
		for _, l := range v {
			fmt.Fprintf(b, "\n[[%s]]%s\nplatform = %s\nplatform_user_id = %s\nastrid_user = %s\nmethod = %s\n",
				e.Key, note(l.Origin), quote(l.Platform), quote(l.PlatformUserID), quote(l.AstridUser), quote(l.Method))
		}
	case string:
		fmt.Fprintf(b, "%s = %s%s\n", name, quote(v), note(e.Origin))
	case float64:
		fmt.Fprintf(b, "%s = %s%s\n", name, float(v), note(e.Origin))
	default:
		fmt.Fprintf(b, "%s = %v%s\n", name, v, note(e.Origin))
	}
}

// float writes a number that TOML reads as a float again.
func float(f float64) string {
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return s
}

// quote writes a basic string. It escapes what TOML forbids and what would act on a terminal.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case !unicode.IsGraphic(r):
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
