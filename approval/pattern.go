package approval

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Pattern types, as in the JSON tag "type".
const (
	ExactResource     = "exact"              // resource, method?
	ResourceGlob      = "resource"           // pattern over the resource string, in the language of tokens
	ExactTool         = "exact_tool"         // server, tool
	ServerTools       = "server_tools"       // server
	FilePattern       = "file_pattern"       // pattern over the absolute path, permission
	NetworkHost       = "network_host"       // host, ports?
	CommandPattern    = "command_pattern"    // command
	WorkspaceRelative = "workspace_relative" // pattern under the workspace root, permission
	CapsuleCapability = "capsule_capability" // capsule_id, capability
	CapsuleWildcard   = "capsule_wildcard"   // capsule_id
)

// Pattern says which actions an allowance covers. It never reaches past the principal and capsule of its
// allowance, nor past a refusal of manifest or policy.
type Pattern struct {
	Type       string `json:"type"`
	Resource   string `json:"resource,omitempty"`
	Method     string `json:"method,omitempty"`
	Pattern    string `json:"pattern,omitempty"`
	Permission string `json:"permission,omitempty"` // read, write, delete; workspace_relative also invoke, execute
	Server     string `json:"server,omitempty"`
	Tool       string `json:"tool,omitempty"`
	Host       string `json:"host,omitempty"`
	Ports      []int  `json:"ports,omitempty"` // none = every port
	Command    string `json:"command,omitempty"`
	CapsuleID  string `json:"capsule_id,omitempty"`
	Capability string `json:"capability,omitempty"` // a Kind, or http_request, file_read, file_write, file_delete
}

// maxPattern bounds an encoded pattern, in bytes.
const maxPattern = MaxResource + 4096

// DecodePattern reads a pattern. Unknown types and fields, missing fields and patterns that do not compile are
// errors.
func DecodePattern(data []byte) (Pattern, error) {
	var p Pattern
	if len(data) > maxPattern {
		return p, fmt.Errorf("%w: %d bytes, at most %d", ErrPattern, len(data), maxPattern)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil {
		return Pattern{}, fmt.Errorf("%w: %w", ErrPattern, err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return Pattern{}, fmt.Errorf("%w: there is text behind it", ErrPattern)
	}
	if _, err := p.compile(); err != nil {
		return Pattern{}, err
	}
	return p, nil
}

// Check reports whether the pattern is complete and compiles.
func (p Pattern) Check() error {
	_, err := p.compile()
	return err
}

// String is the pattern as shown to the human who grants it.
func (p Pattern) String() string {
	switch p.Type {
	case ExactResource:
		if p.Method != "" {
			return p.Method + " " + Display(p.Resource)
		}
		return Display(p.Resource)
	case ResourceGlob:
		return Display(p.Pattern)
	case ExactTool:
		return Display("mcp:" + p.Server + ":" + p.Tool)
	case ServerTools:
		return Display("mcp:" + p.Server + ":*")
	case FilePattern:
		return Display("file:"+p.Pattern) + " (" + p.Permission + ")"
	case NetworkHost:
		return Display("net:"+p.Host) + ":" + portList(p.Ports)
	case CommandPattern:
		return Display("cmd:" + p.Command)
	case WorkspaceRelative:
		return Display("workspace:"+p.Pattern) + " (" + p.Permission + ")"
	case CapsuleCapability:
		return Display("capsule:" + p.CapsuleID + ":" + p.Capability)
	case CapsuleWildcard:
		return Display("capsule:" + p.CapsuleID + ":*")
	}
	return Display(p.Type)
}

func portList(ports []int) string {
	if len(ports) == 0 {
		return "*"
	}
	words := make([]string, len(ports))
	for i, n := range ports {
		words[i] = strconv.Itoa(n)
	}
	return "[" + strings.Join(words, ",") + "]"
}

// fields lists which fields each type needs, and which it may have besides.
var patternFields = map[string]struct{ need, may []string }{
	ExactResource:     {[]string{"resource"}, []string{"method"}},
	ResourceGlob:      {[]string{"pattern"}, nil},
	ExactTool:         {[]string{"server", "tool"}, nil},
	ServerTools:       {[]string{"server"}, nil},
	FilePattern:       {[]string{"pattern", "permission"}, nil},
	NetworkHost:       {[]string{"host"}, []string{"ports"}},
	CommandPattern:    {[]string{"command"}, nil},
	WorkspaceRelative: {[]string{"pattern", "permission"}, nil},
	CapsuleCapability: {[]string{"capsule_id", "capability"}, nil},
	CapsuleWildcard:   {[]string{"capsule_id"}, nil},
}

// shape checks the fields against the type. A field that would be ignored is an error: whoever wrote it
// believes that it narrows the grant.
func (p Pattern) shape() error {
	want, ok := patternFields[p.Type]
	if !ok {
		return fmt.Errorf("%w: unknown type %s", ErrPattern, Display(p.Type))
	}
	set := map[string]bool{
		"resource": p.Resource != "", "method": p.Method != "", "pattern": p.Pattern != "",
		"permission": p.Permission != "", "server": p.Server != "", "tool": p.Tool != "", "host": p.Host != "",
		"ports": len(p.Ports) > 0, "command": p.Command != "", "capsule_id": p.CapsuleID != "",
		"capability": p.Capability != "",
	}
	for _, name := range want.need {
		if !set[name] {
			return fmt.Errorf("%w: %s needs %s", ErrPattern, p.Type, name)
		}
	}
	for name, given := range set {
		if given && !slices.Contains(want.need, name) && !slices.Contains(want.may, name) {
			return fmt.Errorf("%w: %s has no field %s", ErrPattern, p.Type, name)
		}
	}
	for _, n := range p.Ports {
		if n < 1 || n > 65535 {
			return fmt.Errorf("%w: port %d", ErrPattern, n)
		}
	}
	return nil
}
