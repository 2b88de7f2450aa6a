package abi

import "strings"

// ProvidersDescription is a provider's answer to the hook [TopicDescribeModels]: the model it
// uses by default first, then the others it knows, at most [MaxModels]. It answers at once,
// with the list it has kept or the one it was configured with; see [TopicRefreshModels].
type ProvidersDescription struct {
	Providers []ProviderDescription `json:"providers"`
}

// RefreshModels on [TopicRefreshModels] has providers ask their vendors for the list of
// models. Each that does so publishes a [ModelsRefreshed] on [TopicModelsRefreshed] when it
// has the list, within about [HTTPTimeout]; then the registry lists what there is.
type RefreshModels struct {
	CorrelationID string `json:"correlation_id,omitempty"` // repeated in the answers
	Provider      string `json:"provider,omitempty"`       // id of the only one to ask; empty asks all
}

// ModelsRefreshed says how asking one vendor went.
type ModelsRefreshed struct {
	CorrelationID string `json:"correlation_id,omitempty"`
	Provider      string `json:"provider"`
	Models        int    `json:"models"`          // of the new list
	Error         string `json:"error,omitempty"` // why there is none; the old list stays
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
	// Problem says why the entry cannot be used as it is, such as a key that is missing.
	Problem string `json:"problem,omitempty"`
}

// ModelPrice is in US dollars for a million tokens of a prompt of ordinary length.
type ModelPrice struct {
	InputUSD  float64 `json:"input_usd"`
	OutputUSD float64 `json:"output_usd"`
	AsOf      string  `json:"as_of,omitempty"` // date of the price list, 2006-01-02
}

// FindModel is the entry of that id, or the only one whose id ends with a colon and it; nil is none.
func FindModel(list []ProviderDescription, id string) *ProviderDescription {
	var found []*ProviderDescription
	for i, p := range list {
		if p.ID == id {
			return &list[i]
		}
		if id != "" && p.RequestModel() == id {
			found = append(found, &list[i])
		}
	}
	if len(found) == 1 {
		return found[0]
	}
	return nil
}

// RequestModel is what [LlmRequest.Model] must be for the entry to be used: empty for a
// provider's default, so that a change of its settings needs no new list.
func (d ProviderDescription) RequestModel() string {
	_, model, _ := strings.Cut(d.ID, ":")
	return model
}
