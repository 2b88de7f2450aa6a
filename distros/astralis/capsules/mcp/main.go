// Capsule mcp lets the model use tools of MCP servers: programs that speak the Model Context Protocol on their standard streams.
//
// A server is a program like any other: the daemon asks the person before it starts, and runs it in the sandbox over the
// session's files. It is started when the model first needs it and ended with the turn, so that nothing of it holds a commit up.
package main

import (
	"encoding/json"
	"fmt"
	"strings"
	stdtime "time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk"
)

var (
	_ = sdk.Describe("Tools of MCP servers that the person has set up. List them first: their names and arguments are only known to the servers.")
	_ = sdk.Tool("list_mcp_tools", "List the MCP servers, and the tools of one or of all, with the schemas of their arguments.", list)
	_ = sdk.Tool("call_mcp_tool", "Call a tool of an MCP server.", call, sdk.Mutable())
	_ = sdk.On("handle_turn_completed", handleTurnCompleted)
)

func main() {}

// Time that a server has for an answer: below the daemon's limit for one call, so that the model still hears of it.
const (
	listTimeout = 60 * stdtime.Second
	callTimeout = 240 * stdtime.Second
)

type listArgs struct {
	Server string `json:"server,omitempty" desc:"Name of one server; all without it"`
}

// listing is what the model is told of a server.
type listing struct {
	Server string `json:"server"`
	Tools  []tool `json:"tools,omitempty"`
	Error  string `json:"error,omitempty"`
}

func list(ctx *sdk.Context, a listArgs) ([]listing, error) {
	all, err := servers()
	if err != nil {
		return nil, err
	}
	if a.Server != "" {
		s, err := find(all, a.Server)
		if err != nil {
			return nil, err
		}
		all = []server{s}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no MCP server is set up: the person can do so with `astrid capsule config astrid-capsule-mcp`")
	}
	var out []listing
	for _, s := range all {
		l := listing{Server: s.name}
		c, err := connect(ctx, s)
		if err == nil {
			l.Tools, err = c.tools()
		}
		if err != nil {
			l.Error = err.Error()
		}
		out = append(out, l)
	}
	if len(out) == 1 && out[0].Error != "" {
		return nil, fmt.Errorf("%s", out[0].Error)
	}
	return out, nil
}

type callArgs struct {
	Server    string          `json:"server" desc:"Name of the server"`
	Tool      string          `json:"tool" desc:"Name of the tool"`
	Arguments json.RawMessage `json:"arguments,omitempty" desc:"Arguments of the tool, as its schema wants them"`
}

func call(ctx *sdk.Context, a callArgs) (string, error) {
	all, err := servers()
	if err != nil {
		return "", err
	}
	s, err := find(all, a.Server)
	if err != nil {
		return "", err
	}
	args := a.Arguments
	var text string
	if json.Unmarshal(args, &text) == nil { // some models write the object as text
		args = json.RawMessage(text)
	}
	var object map[string]json.RawMessage
	if len(args) > 0 && json.Unmarshal(args, &object) != nil {
		return "", fmt.Errorf("arguments must be an object")
	}
	c, err := connect(ctx, s)
	if err != nil {
		return "", err
	}
	return c.call(a.Tool, object)
}

// handleTurnCompleted ends the servers of a session whose turn is over.
func handleTurnCompleted(ctx *sdk.Context, _ abi.TurnCompleted) error {
	return endAll(ctx)
}

// clip bounds a text for the model.
func clip(s string) string {
	const limit = 64 << 10
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + fmt.Sprintf("\n[%d more bytes are left out here; ask for less]", len(s)-limit)
}
