// Capsule openai is a provider for OpenAI's models, by its Responses API.
package main

import (
	"encoding/json"
	"strings"

	"github.com/unicity-astrid/astrid-go/distros/astralis/provider"
	"github.com/unicity-astrid/astrid-go/sdk/http"
)

var this = provider.Provider{
	ID:           "openai",
	Name:         "OpenAI",
	Capabilities: []string{"text", "vision", "tools", "reasoning"},
	NeedsKey:     true,
	Window:       128_000,
	Encode:       encode,
	Decode:       decode,
	List:         func() *http.Request { return &http.Request{URL: provider.Endpoint("/v1/models"), Headers: headers()} },
	Listed:       listed,
}

var _ = this.Register()

func main() {}

func headers() map[string]string {
	return map[string]string{"content-type": "application/json", "authorization": "Bearer " + provider.Key()}
}

// others are words in the names of models that do not answer in text.
var others = []string{"audio", "realtime", "transcribe", "tts", "image", "search", "moderation", "embedding", "instruct", "live"}

// listed reads an entry of GET /v1/models, which tells no more than names.
func listed(raw json.RawMessage) provider.Model {
	var m struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(raw, &m) != nil || !strings.HasPrefix(m.ID, "gpt-") && !reasons(m.ID) {
		return provider.Model{}
	}
	for _, w := range others {
		if strings.Contains(m.ID, w) {
			return provider.Model{}
		}
	}
	return provider.Model{ID: m.ID}
}
