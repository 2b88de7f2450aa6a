// Capsule anthropic is a provider for Claude, by Anthropic's Messages API.
package main

import (
	"encoding/json"

	"github.com/unicity-astrid/astrid-go/distros/astralis/provider"
	"github.com/unicity-astrid/astrid-go/sdk/http"
)

// version is the version of the API. Source: Anthropic API, "Versions".
const version = "2023-06-01"

var this = provider.Provider{
	ID:           "anthropic",
	Name:         "Anthropic",
	Capabilities: []string{"text", "vision", "tools", "reasoning"},
	NeedsKey:     true,
	Window:       200_000,
	Encode:       encode,
	Decode:       decode,
	List: func() *http.Request {
		return &http.Request{URL: provider.Endpoint("/v1/models?limit=100"), Headers: headers()}
	},
	Listed: listed,
}

var _ = this.Register()

func main() {}

func headers() map[string]string {
	return map[string]string{"content-type": "application/json", "anthropic-version": version, "x-api-key": provider.Key()}
}

// listed reads an entry of GET /v1/models.
func listed(raw json.RawMessage) provider.Model {
	var m struct {
		ID     string `json:"id"`
		Name   string `json:"display_name"`
		Window uint64 `json:"max_input_tokens"`
		Output uint64 `json:"max_tokens"`
	}
	if json.Unmarshal(raw, &m) != nil {
		return provider.Model{}
	}
	return provider.Model{ID: m.ID, Name: m.Name, Window: m.Window, Output: m.Output}
}
