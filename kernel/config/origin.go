package config

import "fmt"

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
	if e.Key == "" {
		return fmt.Sprintf("%v: %s", e.Origin, e.Msg)
	}
	return fmt.Sprintf("%v: %s: %s", e.Origin, e.Key, e.Msg)
}

func (e *Error) Unwrap() error { return e.Err }

// Notice is something a user should know.
type Notice struct {
	Origin Origin `json:"origin"`
	Key    string `json:"key,omitempty"`
	Msg    string `json:"message"`
}

func (n Notice) String() string {
	if n.Key == "" {
		return fmt.Sprintf("%v: %s", n.Origin, n.Msg)
	}
	return fmt.Sprintf("%v: %s: %s", n.Origin, n.Key, n.Msg)
}
