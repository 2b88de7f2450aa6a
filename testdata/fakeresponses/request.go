package fakeresponses

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/unicity-astrid/astrid-go/testdata/fakellm"
)

// Create is the body of a request: the fields that decide something here. Source: OpenAI
// API reference, "Create a model response".
type Create struct {
	Model        string          `json:"model"`
	Input        json.RawMessage `json:"input"`
	Instructions string          `json:"instructions"`
	Stream       bool            `json:"stream"`
	Store        *bool           `json:"store"`
	Include      []string        `json:"include"`
	MaxOutput    *int            `json:"max_output_tokens"`
	Temperature  *float64        `json:"temperature"`
	Tools        []Tool          `json:"tools"`
	Reasoning    *struct {
		Effort  string `json:"effort"`
		Summary string `json:"summary"`
	} `json:"reasoning"`

	items []Item
}

// Tool that the model may call.
type Tool struct {
	Type        string          `json:"type"`
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Parameters  json.RawMessage `json:"parameters"`
	Strict      *bool           `json:"strict"`
}

// Item of the input.
type Item struct {
	Type      string          `json:"type"`
	ID        string          `json:"id"`
	Role      string          `json:"role"`
	Content   json.RawMessage `json:"content"`
	CallID    string          `json:"call_id"`
	Name      string          `json:"name"`
	Arguments *string         `json:"arguments"`
	Output    string          `json:"output"`
	Encrypted string          `json:"encrypted_content"`
	Summary   *[]any          `json:"summary"`
}

// Part of a message.
type Part struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	ImageURL string `json:"image_url"`
}

func (i Item) parts() ([]Part, error) {
	raw := bytes.TrimSpace(i.Content)
	if len(raw) > 0 && raw[0] == '"' {
		kind := "input_text"
		if i.Role == "assistant" {
			kind = "output_text"
		}
		p := Part{Type: kind}
		err := json.Unmarshal(raw, &p.Text)
		return []Part{p}, err
	}
	var parts []Part
	err := json.Unmarshal(raw, &parts)
	return parts, err
}

func (i Item) text() string {
	parts, _ := i.parts()
	s := ""
	for _, p := range parts {
		s += p.Text
	}
	return s
}

var (
	toolName   = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)
	imageURL   = regexp.MustCompile(`^(https?://\S+|data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+=*)$`)
	efforts    = []string{"none", "minimal", "low", "medium", "high", "xhigh", "max"}
	summaries  = []string{"", "auto", "concise", "detailed"}
	partTypes  = map[string][]string{"user": {"input_text", "input_image", "input_file"}, "developer": {"input_text"}, "system": {"input_text"}, "assistant": {"output_text", "refusal"}}
	idPrefixes = map[string]string{"function_call": "fc_", "reasoning": "rs_", "message": "msg_"}
)

// shape is what a request may have. Source: OpenAI API reference, "Create a model response".
var shape = fakellm.Shape{
	"": `background conversation context_management include input instructions max_output_tokens max_tool_calls
		metadata model parallel_tool_calls previous_response_id prompt prompt_cache_key prompt_cache_retention reasoning
		safety_identifier service_tier store stream stream_options temperature text tool_choice tools top_logprobs top_p truncation user`,
	"input[]":                       "type role content", // a message may leave its type out
	"input[]:message":               "type id role content status phase",
	"input[]:reasoning":             "type id summary content encrypted_content status",
	"input[]:function_call":         "type id call_id name arguments status",
	"input[]:function_call_output":  "type id call_id output status",
	"input[].summary[]":             "type text",
	"input[].content[]:input_text":  "type text",
	"input[].content[]:output_text": "type text annotations logprobs",
	"input[].content[]:refusal":     "type refusal",
	"input[].content[]:input_image": "type image_url file_id detail",
	"reasoning":                     "effort summary",
	"tools[]:function":              "type name description parameters strict",
	"stream_options":                "include_obfuscation",
}

// parse decodes and checks a body.
func (c *Create) parse(raw []byte) *APIError {
	var top map[string]json.RawMessage
	if err := json.Unmarshal(raw, &top); err != nil {
		return malformed("We could not parse the JSON body of your request: %v", err)
	}
	if name := shape.Extra(raw); name != "" {
		return malformed("Unknown parameter: '%s'.", name)
	}
	if err := json.Unmarshal(raw, c); err != nil {
		return malformed("Invalid type: %v", err)
	}
	if err := json.Unmarshal(c.Input, &c.items); err != nil {
		return malformed("Invalid type for 'input': expected an array of items here, %v", err)
	}
	switch {
	case c.Model == "":
		return malformed("Missing required parameter: 'model'.")
	case len(c.items) == 0:
		return malformed("Missing required parameter: 'input'.")
	case c.MaxOutput != nil && *c.MaxOutput < 16:
		return malformed("Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got %d instead.", *c.MaxOutput)
	case c.Temperature != nil && (*c.Temperature < 0 || *c.Temperature > 2):
		return malformed("Invalid 'temperature': decimal out of range.")
	case c.Temperature != nil && c.Reasoning != nil:
		return malformed("Unsupported parameter: 'temperature' is not supported with this model.")
	case c.Reasoning != nil && c.Reasoning.Effort != "" && !slices.Contains(efforts, c.Reasoning.Effort):
		return malformed("Invalid value: '%s'. Supported values are: '%s'.", c.Reasoning.Effort, strings.Join(efforts, "', '"))
	case c.Reasoning != nil && !slices.Contains(summaries, c.Reasoning.Summary):
		return malformed("Invalid value: '%s' for 'reasoning.summary'.", c.Reasoning.Summary)
	}
	for _, i := range c.Include {
		if i != "reasoning.encrypted_content" {
			return malformed("Invalid value: '%s' for 'include'.", i)
		}
	}
	for i, t := range c.Tools {
		if e := t.check(i); e != nil {
			return e
		}
	}
	return c.checkItems()
}

func (t Tool) check(i int) *APIError {
	var schema map[string]json.RawMessage
	var kind string
	switch {
	case t.Type != "function":
		return malformed("Invalid value: '%s'. (tools[%d].type)", t.Type, i)
	case !toolName.MatchString(t.Name):
		return malformed("Invalid 'tools[%d].name': string does not match pattern '%s'.", i, toolName)
	case json.Unmarshal(t.Parameters, &schema) != nil || json.Unmarshal(schema["type"], &kind) != nil || kind != "object":
		return malformed("Invalid schema for function '%s': schema must be a JSON Schema of 'type: \"object\"'.", t.Name)
	case schema["properties"] == nil:
		return malformed("Invalid schema for function '%s': object schema missing properties.", t.Name)
	case schema["mutable"] != nil:
		return malformed("Invalid schema for function '%s': 'mutable' is not permitted.", t.Name)
	case (t.Strict == nil || *t.Strict) && string(schema["additionalProperties"]) != "false":
		return malformed("Invalid schema for function '%s': In context=(), 'additionalProperties' is required to be supplied and to be false.", t.Name)
	}
	return nil
}

// thoughtful is what ids of calls begin with that the model thought about.
const thoughtful = "call_thought_"

func (c *Create) checkItems() *APIError {
	var open []string // ids of calls without output
	thought := false  // a thought belongs to the items that follow
	for n, i := range c.items {
		if i.Type == "" && i.Role != "" {
			i.Type = "message"
		}
		if want := idPrefixes[i.Type]; i.ID != "" && !strings.HasPrefix(i.ID, want) {
			return malformed("Invalid 'input[%d].id': '%s'. Expected an ID that begins with '%s'.", n, i.ID, want)
		}
		last := n == len(c.items)-1
		switch i.Type {
		case "message":
			if e := i.checkMessage(n); e != nil {
				return e
			}
			thought = thought && i.Role == "assistant"
		case "reasoning":
			switch {
			case i.ID == "" || i.Summary == nil:
				return malformed("Missing required parameter of 'input[%d]': id and summary.", n)
			case i.Encrypted != seal(i.ID):
				return malformed("The encrypted content for item %s could not be verified.", i.ID)
			case last:
				return malformed("Item '%s' of type 'reasoning' was provided without its required following item.", i.ID)
			}
			thought = true
		case "function_call":
			switch {
			case i.CallID == "" || len(i.CallID) > 64:
				return malformed("Invalid 'input[%d].call_id'.", n)
			case !toolName.MatchString(i.Name):
				return malformed("Invalid 'input[%d].name': string does not match pattern '%s'.", n, toolName)
			case i.Arguments == nil:
				return malformed("Missing required parameter: 'input[%d].arguments'.", n)
			case strings.HasPrefix(i.CallID, thoughtful) && !thought:
				return malformed("Item 'input[%d]' of type 'function_call' was provided without its required 'reasoning' item.", n)
			}
			open = append(open, i.CallID)
		case "function_call_output":
			k := slices.Index(open, i.CallID)
			if k < 0 {
				return malformed("No tool call found for function call output with call_id %s.", i.CallID)
			}
			open, thought = slices.Delete(open, k, k+1), false
		default:
			return malformed("Invalid value: '%s'. (input[%d].type)", i.Type, n)
		}
	}
	if len(open) > 0 {
		return malformed("No tool output found for function call %s.", open[0])
	}
	return nil
}

func (i Item) checkMessage(n int) *APIError {
	parts, err := i.parts()
	allowed, ok := partTypes[i.Role]
	switch {
	case !ok:
		return malformed("Invalid value: '%s'. Supported values are: 'assistant', 'system', 'developer', and 'user'. (input[%d].role)", i.Role, n)
	case err != nil || len(parts) == 0:
		return malformed("Invalid type for 'input[%d].content'.", n)
	}
	for k, p := range parts {
		switch {
		case !slices.Contains(allowed, p.Type):
			return malformed("Invalid value: '%s'. Supported values are: '%s'. (input[%d].content[%d].type)", p.Type, strings.Join(allowed, "', '"), n, k)
		case p.Type == "input_image" && !imageURL.MatchString(p.ImageURL):
			return malformed("Invalid 'input[%d].content[%d].image_url'.", n, k)
		}
	}
	return nil
}
