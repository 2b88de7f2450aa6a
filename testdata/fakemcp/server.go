// Package fakemcp is an MCP server for tests, built on the official SDK. It keeps notes in the directory in which it runs.
package fakemcp

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

type noteArgs struct {
	Name string `json:"name" jsonschema:"name of the note"`
	Text string `json:"text" jsonschema:"what it says"`
}

type readArgs struct {
	Name string `json:"name" jsonschema:"name of the note"`
}

// Serve speaks the protocol on the standard streams until they are closed. Its tools are
//
//	write_note  writes NAME.note
//	read_note   reads it; fails if there is none
//	count       says how often it was called since the server started
//	quit        ends the server without an answer
func Serve(ctx context.Context) error {
	s := mcp.NewServer(&mcp.Implementation{Name: "fakemcp", Version: "1.0.0"}, nil)
	text := func(t string) *mcp.CallToolResult {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: t}}}
	}
	var calls atomic.Int64
	mcp.AddTool(s, &mcp.Tool{Name: "write_note", Description: "Keep a note."},
		func(_ context.Context, _ *mcp.CallToolRequest, a noteArgs) (*mcp.CallToolResult, any, error) {
			return text("kept"), nil, os.WriteFile(a.Name+".note", []byte(a.Text), 0o644)
		})
	mcp.AddTool(s, &mcp.Tool{Name: "read_note", Description: "Read a note."},
		func(_ context.Context, _ *mcp.CallToolRequest, a readArgs) (*mcp.CallToolResult, any, error) {
			b, err := os.ReadFile(a.Name + ".note")
			return text(strings.ToUpper(string(b))), nil, err
		})
	mcp.AddTool(s, &mcp.Tool{Name: "count", Description: "Count calls."},
		func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
			return text(fmt.Sprintf("call %d", calls.Add(1))), nil, nil
		})
	mcp.AddTool(s, &mcp.Tool{Name: "quit", Description: "End the server."},
		func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
			fmt.Fprintln(os.Stderr, "asked to quit")
			os.Exit(3)
			return nil, nil, nil
		})
	return s.Run(ctx, &mcp.StdioTransport{})
}
