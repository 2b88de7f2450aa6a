// Capsule registry knows which models the loaded providers offer, and which one is active.
package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/rawjson"
	"github.com/unicity-astrid/astrid-go/sdk"
	"github.com/unicity-astrid/astrid-go/sdk/hooks"
	"github.com/unicity-astrid/astrid-go/sdk/ipc"
	"github.com/unicity-astrid/astrid-go/sdk/kv"
	"github.com/unicity-astrid/astrid-go/sdk/time"
)

var (
	_ = sdk.On("handle_capsules_loaded", func(*sdk.Context, any) error { _, err := discover(); return err })
	_ = sdk.On("handle_get_providers", handleGetProviders)
	_ = sdk.Interceptor("handle_get_active_model", handleGetActive)
	_ = sdk.On("handle_set_active_model", handleSetActive)
	_ = sdk.On("handle_selection", handleSelection)
	_ = sdk.On("handle_command", handleCommand)
)

func main() {}

const (
	topicProviders = "registry.v1.response.get_providers"
	topicActive    = "registry.v1.response.get_active_model"
	topicSet       = "registry.v1.response.set_active_model"
	topicModels    = "registry.v1.response.models"
	topicCallback  = "registry.v1.selection.callback"

	// offlineID is the provider that stands in when there is no model. Any real one is preferred.
	offlineID = "offline"
)

// state is what survives a restart.
type state struct {
	Providers     []abi.ProviderDescription `json:"providers"`
	ActiveModelID string                    `json:"active_model_id,omitempty"`
	Chosen        bool                      `json:"chosen,omitempty"` // by the person, not by default
}

var stored = sdk.State[state]{Key: "registry_state"}

func (s *state) active() *abi.ProviderDescription {
	i := slices.IndexFunc(s.Providers, func(p abi.ProviderDescription) bool { return p.ID == s.ActiveModelID })
	if i < 0 {
		return nil
	}
	return &s.Providers[i]
}

// discover asks all providers what they offer. An active model that is gone is dropped;
// without one, the best there is becomes active.
func discover() (*state, error) {
	s, err := stored.Load()
	if err != nil {
		return nil, err
	}
	answers, err := hooks.Collect[struct {
		Providers []abi.ProviderDescription `json:"providers"`
	}](abi.TopicDescribeModels, struct{}{})
	if err != nil {
		return nil, err
	}
	var found []abi.ProviderDescription
	for _, a := range answers {
		for _, p := range a.Providers {
			if p.ID != "" && p.RequestTopic != "" && p.StreamTopic != "" {
				found = add(found, p, s.Providers)
			}
		}
	}
	if was := s.active(); was != nil && !slices.ContainsFunc(found, func(p abi.ProviderDescription) bool { return p.ID == was.ID && p.RequestTopic == was.RequestTopic }) {
		s.ActiveModelID = "" // gone, whoever has its name now
	}
	s.Providers = found
	changed := false
	if best := preferred(found); s.active() == nil || !s.Chosen && s.ActiveModelID == offlineID {
		changed = best != "" && best != s.ActiveModelID
		s.ActiveModelID, s.Chosen = best, false
	}
	if err := stored.Save(s); err != nil {
		return nil, err
	}
	if changed {
		return &s, ipc.Publish(abi.TopicModelChanged, s.active())
	}
	return &s, nil
}

// add takes in what a capsule says it offers. Two may give one id, and the conversation goes to the topic behind it: so who had
// the id before keeps it, else the first.
func add(found []abi.ProviderDescription, p abi.ProviderDescription, known []abi.ProviderDescription) []abi.ProviderDescription {
	i := slices.IndexFunc(found, func(o abi.ProviderDescription) bool { return o.ID == p.ID })
	if i < 0 {
		return append(found, p)
	}
	if slices.ContainsFunc(known, func(k abi.ProviderDescription) bool { return k.ID == p.ID && k.RequestTopic == p.RequestTopic }) {
		found[i] = p
	}
	return found
}

// preferred is the first provider that is a real model, else the first.
func preferred(ps []abi.ProviderDescription) string {
	for _, p := range ps {
		if p.ID != offlineID {
			return p.ID
		}
	}
	if len(ps) > 0 {
		return ps[0].ID
	}
	return ""
}

func handleGetProviders(*sdk.Context, any) error {
	s, err := discover()
	if err != nil {
		return err
	}
	if s.Providers == nil {
		s.Providers = []abi.ProviderDescription{}
	}
	return ipc.Publish(topicProviders, s.Providers)
}

// handleGetActive answers on the bus, and to a hook directly. Who asks for a model by its id gets
// that one, or null, and others are not told.
func handleGetActive(_ *sdk.Context, raw []byte) (sdk.Verdict, error) {
	var q abi.ModelQuery
	named := json.Unmarshal(raw, &q) == nil && q.ModelID != ""
	if active, err := storedActive(); err != nil || active != nil && !named {
		if err == nil {
			err = ipc.Publish(topicActive, active)
		}
		return sdk.Reply(active), err
	}
	s, err := stored.Load()
	if err != nil {
		return sdk.Verdict{}, err
	}
	if named {
		found := abi.FindModel(s.Providers, q.ModelID)
		if found == nil {
			d, err := discover()
			if err != nil {
				return sdk.Verdict{}, err
			}
			found = abi.FindModel(d.Providers, q.ModelID)
		}
		return sdk.Reply(found), nil
	}
	if s.active() == nil { // asked before the providers were known
		d, err := discover()
		if err != nil {
			return sdk.Verdict{}, err
		}
		s = *d
	}
	if err := ipc.Publish(topicActive, s.active()); err != nil {
		return sdk.Verdict{}, err
	}
	return sdk.Reply(s.active()), nil
}

// storedActive is the active model as it was stored, nil if none is. Each turn asks for it, and the list may be long.
func storedActive() (active json.RawMessage, err error) {
	b, err := kv.Get(stored.Key)
	if err != nil || len(b) == 0 {
		return nil, err
	}
	var id string
	var all json.RawMessage
	err = rawjson.Object(b, func(name string, value json.RawMessage) error {
		switch name {
		case "active_model_id":
			return json.Unmarshal(value, &id)
		case "providers":
			all = value
		}
		return nil
	})
	if err != nil || id == "" {
		return nil, nil // what is damaged is dropped when it is loaded
	}
	err = rawjson.Array(all, func(entry json.RawMessage) error {
		return rawjson.Object(entry, func(name string, value json.RawMessage) error {
			if name != "id" {
				return nil
			}
			if s, err := rawjson.Text(value); err == nil && s == id {
				active = entry
			}
			return nil
		})
	})
	if err != nil {
		return nil, nil
	}
	return active, nil
}

type setRequest struct {
	ModelID string `json:"model_id"`
}

func handleSetActive(_ *sdk.Context, r setRequest) error { return setActive(r.ModelID) }

func setActive(id string) error {
	fail := func(text string) error { return ipc.Publish(topicSet, map[string]string{"error": text}) }
	if id == "" {
		return fail("missing model_id")
	}
	s, err := discover()
	if err != nil {
		return err
	}
	p := abi.FindModel(s.Providers, id)
	if p == nil {
		return fail("unknown model: " + id)
	}
	s.ActiveModelID, s.Chosen = p.ID, true
	if err := stored.Save(*s); err != nil {
		return err
	}
	if err := ipc.Publish(abi.TopicModelChanged, s.active()); err != nil {
		return err
	}
	return ipc.Publish(topicSet, map[string]any{"status": "ok", "active_model": s.active()})
}

type selection struct {
	SelectedID string `json:"selected_id"`
}

func handleSelection(_ *sdk.Context, r selection) error {
	if r.SelectedID == "" {
		return nil // the person chose nothing
	}
	return setActive(r.SelectedID)
}

func handleCommand(_ *sdk.Context, in abi.UserInput) error {
	name, arg, _ := strings.Cut(strings.TrimSpace(in.Text), " ")
	if name != "/models" {
		return nil // another capsule's command
	}
	if arg = strings.TrimSpace(arg); arg != "" {
		return setActive(arg)
	}
	s, err := discover()
	if err != nil || len(s.Providers) == 0 {
		return err
	}
	ask := abi.SelectionRequired{RequestID: fmt.Sprintf("models-%d-%d", time.Now().UnixMilli(), len(s.Providers)), Title: "Select LLM Model", CallbackTopic: topicCallback}
	for _, p := range s.Providers {
		ask.Options = append(ask.Options, abi.SelectionOption{ID: p.ID, Label: p.ID, Description: p.Description})
	}
	return ipc.PublishTagged(topicModels, ask)
}
