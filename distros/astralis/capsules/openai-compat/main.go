// Capsule openai-compat is a provider for every server that speaks OpenAI's Chat
// Completions API.
package main

import (
	"encoding/json"

	"github.com/unicity-astrid/astrid-go/distros/astralis/provider"
	"github.com/unicity-astrid/astrid-go/sdk/http"
)

var this = provider.Provider{
	ID:           "openai-compat",
	Name:         "OpenAI-compatible",
	Capabilities: []string{"text", "vision", "tools"},
	Window:       128_000,
	Vendor:       "https://api.openai.com",
	Encode:       encode,
	Decode:       decode,
	List:         func() *http.Request { return &http.Request{URL: provider.Endpoint("/v1/models"), Headers: headers()} },
	Listed:       listed,
}

var _ = this.Register()

func main() {}

// headers carry the key, which local servers do without.
func headers() map[string]string {
	h := map[string]string{"content-type": "application/json"}
	if key := provider.Key(); key != "" {
		h["authorization"] = "Bearer " + key
	}
	return h
}

// listed reads an entry of GET /v1/models. Besides the id servers tell the window by
// different names, or not at all.
func listed(raw json.RawMessage) provider.Model {
	var m struct {
		ID            string `json:"id"`
		MaxModelLen   uint64 `json:"max_model_len"`  // vLLM
		ContextLength uint64 `json:"context_length"` // OpenRouter and others
		Meta          struct {
			Window uint64 `json:"n_ctx_train"` // llama.cpp
		} `json:"meta"`
	}
	if json.Unmarshal(raw, &m) != nil {
		return provider.Model{}
	}
	return provider.Model{ID: m.ID, Window: max(m.MaxModelLen, m.ContextLength, m.Meta.Window)}
}
