package abi

import "strings"

// ProvidersRequest is the payload of the hook [TopicDescribeModels]. Every provider answers
// it with a [ProvidersDescription].
type ProvidersRequest struct {
	// Refresh has providers ask their vendors for the list of models. Without it they answer
	// at once, with the list they have kept or with the one they were configured with.
	Refresh bool `json:"refresh,omitempty"`
}

// ProvidersDescription is a provider's answer: the model it uses by default first, then
// the others it knows, at most [MaxModels].
type ProvidersDescription struct {
	Providers []ProviderDescription `json:"providers"`
	// Error says why a list that was asked for anew could not be had; Providers is then what
	// was known before.
	Error string `json:"error,omitempty"`
}

// MaxModels bounds the list of one provider.
const MaxModels = 100

// ProviderDescription is one model a provider offers, as the registry keeps it.
type ProviderDescription struct {
	// ID is the provider's own for its default model, and provider:model for the others.
	ID           string `json:"id"`
	Description  string `json:"description"`
	RequestTopic string `json:"request_topic"`
	StreamTopic  string `json:"stream_topic"`
	// Capabilities are words: text, tools, vision, reasoning.
	Capabilities    []string `json:"capabilities"`
	ContextWindow   uint64   `json:"context_window,omitempty"`
	MaxOutputTokens uint64   `json:"max_output_tokens,omitempty"`
	// Model is the vendor's name of the model. See [ProviderDescription.RequestModel].
	Model string `json:"model,omitempty"`
	// Price is what the model costs, if the provider knows.
	Price *ModelPrice `json:"price,omitempty"`
	// Listed is when the vendor said that it offers the model, RFC 3339; empty if the entry
	// comes from the configuration.
	Listed string `json:"listed,omitempty"`
}

// ModelPrice is in US dollars for a million tokens of a prompt of ordinary length.
type ModelPrice struct {
	InputUSD  float64 `json:"input_usd"`
	OutputUSD float64 `json:"output_usd"`
	AsOf      string  `json:"as_of,omitempty"` // date of the price list, 2006-01-02
}

// RequestModel is what [LlmRequest.Model] must be for the entry to be used: empty for a
// provider's default, so that a change of its settings needs no new list.
func (d ProviderDescription) RequestModel() string {
	_, model, _ := strings.Cut(d.ID, ":")
	return model
}
