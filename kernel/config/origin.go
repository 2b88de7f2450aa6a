package config

import (
	"fmt"
	"strings"
	"unicode"
)

// Layer is a source of values, in ascending precedence.
type Layer uint8

// The layers.
const (
	Default Layer = iota
	System
	User
	Workspaces
	Environment
	Flag
)

var layerNames = [...]string{"default", "system", "user", "workspace", "environment", "flag"}

func (l Layer) String() string { return layerNames[l] }

// MarshalText is for JSON.
func (l Layer) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// Origin is where a value was set.
type Origin struct {
	Layer Layer `json:"layer"`
	// Name is the file, the environment variable or the flag.
	Name string `json:"name,omitempty"`
	// Line and Col count from 1; they are 0 outside files.
	Line int `json:"line,omitempty"`
	Col  int `json:"col,omitempty"`
}

// String is "default", "/path/config.toml:3:7", "$ASTRID_WORKSPACE_MODE" or "--mode".
func (o Origin) String() string {
	switch {
	case o.Layer == Default:
		return "default"
	case o.Layer == Environment:
		return "$" + o.Name
	case o.Line == 0:
		return o.Name
	}
	return fmt.Sprintf("%s:%d:%d", o.Name, o.Line, o.Col)
}

// Error is something wrong with a configuration, and where.
type Error struct {
	Origin Origin
	Key    string // "" if the file could not be read or parsed
	Msg    string
	Err    error
}

func (e *Error) Error() string {
	return message(e.Origin, e.Key, e.Msg)
}

func (e *Error) Unwrap() error { return e.Err }

// Notice is something a user should know.
type Notice struct {
	Origin Origin `json:"origin"`
	Key    string `json:"key,omitempty"`
	Msg    string `json:"message"`
}

func (n Notice) String() string {
	return message(n.Origin, n.Key, n.Msg)
}

// message writes one line. Keys and values of a project's file are in it, which may try to act on a terminal.
func message(at Origin, key, msg string) string {
	s := at.String() + ": "
	if key != "" {
		s += key + ": "
	}
	var b strings.Builder
	for _, r := range s + msg {
		if unicode.IsGraphic(r) {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}
