// Capsule router sends each tool call to the topic of its tool and relays the results.
// A call of a tool that no capsule has is answered at once, so that nobody waits for it.
package main

import (
	"encoding/json"
	"fmt"
	"unicode"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk"
	"github.com/unicity-astrid/astrid-go/sdk/hooks"
	"github.com/unicity-astrid/astrid-go/sdk/ipc"
)

var (
	_ = sdk.On("handle_execute_request", handleRequest)
	_ = sdk.On("handle_execute_result", handleResult)
	_ = sdk.On("handle_capsules_loaded", func(*sdk.Context, any) error {
		tools = nil // other capsules, other tools
		return nil
	})
)

func main() {}

// tools are the names that capsules describe; nil when they must be asked.
var tools map[string]bool

func handleRequest(ctx *sdk.Context, r abi.ToolExecuteRequest) error {
	if !validName(r.ToolName) {
		return refuse(r, fmt.Sprintf("Invalid tool name: %s", r.ToolName))
	}
	known, err := isKnown(r.ToolName)
	if err != nil {
		ctx.Warn("Tools could not be listed", "error", err)
	} else if !known {
		return refuse(r, fmt.Sprintf("Unknown tool: %s", r.ToolName))
	}
	if err := ipc.PublishTagged(abi.TopicToolExecutePrefix+r.ToolName, r); err != nil {
		return refuse(r, fmt.Sprintf("Failed to route tool request: %v", err))
	}
	return nil
}

// handleResult relays a result to whoever asked through the router.
func handleResult(_ *sdk.Context, result json.RawMessage) error {
	return ipc.Publish(abi.TopicToolResult, result)
}

func refuse(r abi.ToolExecuteRequest, text string) error {
	return ipc.PublishTagged(abi.TopicToolResult, abi.ToolExecuteResult{
		CallID: r.CallID,
		Result: abi.ToolCallResult{CallID: r.CallID, Content: text, IsError: true},
	})
}

// isKnown tells whether a capsule has the tool. The list is made once and made again
// when a name is missing: capsules may have come since.
func isKnown(name string) (bool, error) {
	if tools[name] {
		return true, nil
	}
	answers, err := hooks.Collect[abi.ToolsDescription](abi.TopicDescribeTools, struct{}{})
	if err != nil {
		return false, err
	}
	tools = make(map[string]bool)
	for _, a := range answers {
		for _, t := range a.Tools {
			tools[t.Name] = true
		}
	}
	return tools[name], nil
}

// validName tells whether a name can be a segment of the tools' topics. The topic of a tool
// called "result" would be that of the answers.
func validName(s string) bool {
	for _, r := range s {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '-' && r != '_' && r != ':' {
			return false
		}
	}
	return s != "" && s != "result"
}
