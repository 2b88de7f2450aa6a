package main

import "encoding/json"

// block is a piece of a message's content. What a field is not for, it is left out of.
type block struct {
	Type         string          `json:"type"`
	Text         *string         `json:"text,omitempty"`        // text
	Thinking     *string         `json:"thinking,omitempty"`    // thinking
	Signature    string          `json:"signature,omitempty"`   // thinking
	Data         string          `json:"data,omitempty"`        // redacted_thinking
	ID           string          `json:"id,omitempty"`          // tool_use
	Name         string          `json:"name,omitempty"`        // tool_use
	Input        json.RawMessage `json:"input,omitempty"`       // tool_use
	ToolUseID    string          `json:"tool_use_id,omitempty"` // tool_result
	Content      *string         `json:"content,omitempty"`     // tool_result
	IsError      bool            `json:"is_error,omitempty"`    // tool_result
	Source       *source         `json:"source,omitempty"`      // image
	CacheControl *cacheControl   `json:"cache_control,omitempty"`
}

type source struct {
	Type      string `json:"type"`
	MediaType string `json:"media_type"`
	Data      string `json:"data"`
}

func textBlock(text string) block { return block{Type: "text", Text: &text} }

// keptBlocks decodes what is kept of an answer, or returns nil.
func keptBlocks(items []json.RawMessage) []block {
	var out []block
	for _, raw := range items {
		var b block
		if json.Unmarshal(raw, &b) != nil {
			return nil
		}
		out = append(out, b)
	}
	return out
}

// textOf is the text of blocks, joined. Anything but text and thoughts and calls makes it
// differ from every text.
func textOf(blocks []block) string {
	s := ""
	for _, b := range blocks {
		switch b.Type {
		case "text":
			s += *b.Text
		case "thinking", "redacted_thinking", "tool_use":
		default:
			return "\x00"
		}
	}
	return s
}
