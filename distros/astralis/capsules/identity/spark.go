package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/unicity-astrid/astrid-go/sdk"
	astridfs "github.com/unicity-astrid/astrid-go/sdk/fs"
)

// path is where the identity is kept. The file is all there is: what a person changes in it counts.
const path = "home://.config/spark.toml"

// maxPart bounds one part of an identity in bytes: it is in every prompt.
const maxPart = 4 << 10

// spark is an identity.
type spark struct {
	Callsign string `json:"callsign,omitempty" toml:"callsign" desc:"Name"`
	Class    string `json:"class,omitempty" toml:"class" desc:"Role, for example: a secure coding assistant"`
	Aura     string `json:"aura,omitempty" toml:"aura" desc:"Personality"`
	Signal   string `json:"signal,omitempty" toml:"signal" desc:"Communication style"`
	Core     string `json:"core,omitempty" toml:"core" desc:"Core directives"`
}

var defaults = spark{Callsign: "Astrid", Class: "a secure coding assistant"}

func (s *spark) fields() []struct {
	key  string
	text *string
} {
	return []struct {
		key  string
		text *string
	}{{"callsign", &s.Callsign}, {"class", &s.Class}, {"aura", &s.Aura}, {"signal", &s.Signal}, {"core", &s.Core}}
}

func (s *spark) check() error {
	for _, f := range s.fields() {
		if len(*f.text) > maxPart {
			return fmt.Errorf("%s is %d bytes, at most %d are kept", f.key, len(*f.text), maxPart)
		}
	}
	if strings.ContainsAny(s.Callsign, "\r\n") {
		return errors.New("callsign must be one line")
	}
	return nil
}

// current is the identity in effect; known tells whether somebody chose it. A file that cannot be
// used must not keep the agent from working.
func current(ctx *sdk.Context) (s spark, known bool) {
	s, err := load()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return defaults, false
	case err != nil:
		ctx.Warn("The identity cannot be used", "file", path, "error", err)
		return defaults, true
	case s.Callsign == "":
		return defaults, false // a stub
	}
	return s, true
}

func load() (spark, error) {
	var s spark
	b, err := astridfs.ReadFile(path)
	if err != nil {
		return s, err
	}
	if _, err := toml.Decode(string(b), &s); err != nil {
		return spark{}, fmt.Errorf("%s: %w", path, err)
	}
	return s, s.check()
}

func (s spark) save() error { return astridfs.WriteFile(path, []byte(s.toml())) }

// toml writes the five keys, quoted so that anything can be in them.
func (s spark) toml() string {
	var b strings.Builder
	b.WriteString("# Who the agent is. Change what you like: the next prompt has it.\n")
	for _, f := range s.fields() {
		fmt.Fprintf(&b, "%s = %s\n", f.key, quote(*f.text))
	}
	return b.String()
}

// quote writes a TOML basic string.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
