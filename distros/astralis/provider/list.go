package provider

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk"
	"github.com/unicity-astrid/astrid-go/sdk/env"
	"github.com/unicity-astrid/astrid-go/sdk/http"
	"github.com/unicity-astrid/astrid-go/sdk/ipc"
	"github.com/unicity-astrid/astrid-go/sdk/kv"
	sdktime "github.com/unicity-astrid/astrid-go/sdk/time"
)

// listKey is where the vendor's list of models is kept.
const listKey = "models"

// kept is a list as the vendor gave it.
type kept struct {
	From   string  `json:"from"` // address it came from: another server has other models
	At     string  `json:"at"`   // RFC 3339
	Models []Model `json:"models"`
}

// describe answers with the models that can be chosen.
func (p *Provider) describe(*sdk.Context, []byte) (sdk.Verdict, error) {
	table, err := p.table()
	if err != nil {
		table = &Table{}
	}
	list := p.list()
	standard := strings.TrimSpace(env.Get("model"))
	m, merr := p.model("")
	if merr != nil {
		m = Model{ID: standard}
	}
	_, kerr := p.readKey()
	d := abi.ProvidersDescription{Providers: []abi.ProviderDescription{p.entry(p.ID, m, list.has(m.ID))}}
	for _, e := range []error{err, merr, kerr} {
		if e != nil {
			d.Providers[0].Problem = e.Error()
			break
		}
	}
	others := list.Models
	if len(others) == 0 && (p.Vendor == "" || Endpoint("") == p.Vendor) {
		others = table.Models()
	}
	for _, o := range others {
		if o.ID == standard {
			continue
		}
		if len(d.Providers) == abi.MaxModels {
			break
		}
		m, err := p.sized(table.Find(o.ID).or(o), false)
		if err != nil {
			break // it is the problem of the first entry, too
		}
		d.Providers = append(d.Providers, p.entry(p.ID+":"+o.ID, m, list.has(o.ID)))
	}
	return sdk.Reply(d), nil
}

// handleRefresh fetches the vendor's list and says how that went.
func (p *Provider) handleRefresh(_ *sdk.Context, q abi.RefreshModels) error {
	if q.Provider != "" && q.Provider != p.ID {
		return nil
	}
	done := abi.ModelsRefreshed{CorrelationID: q.CorrelationID, Provider: p.ID}
	if err := p.refresh(); err != nil {
		done.Error = redact(failureOf(err).Text, Key())
	} else {
		done.Models = len(p.list().Models)
	}
	return ipc.Publish(abi.TopicModelsRefreshed, done)
}

func (p *Provider) entry(id string, m Model, listed string) abi.ProviderDescription {
	name := m.Name
	if name == "" {
		name = m.ID
	}
	d := abi.ProviderDescription{
		ID: id, Description: fmt.Sprintf("%s: %s", p.Name, name),
		RequestTopic: abi.TopicGeneratePrefix + p.ID, StreamTopic: abi.TopicStreamPrefix + p.ID,
		Capabilities: p.Capabilities, ContextWindow: m.Window, MaxOutputTokens: m.Output, Model: m.ID, Listed: listed,
	}
	if m.Prices != nil {
		d.Price = &abi.ModelPrice{InputUSD: m.Prices.In, OutputUSD: m.Prices.Out, AsOf: m.Prices.AsOf}
	}
	return d
}

// or takes from the vendor's list what the table does not say.
func (m Model) or(listed Model) Model {
	if m.Name == "" {
		m.Name = listed.Name
	}
	if m.Window == 0 {
		m.Window = listed.Window
	}
	if m.Output == 0 {
		m.Output = listed.Output
	}
	return m
}

// model finds what is known of a model; empty is the one of the settings.
func (p *Provider) model(asked string) (Model, error) {
	standard := strings.TrimSpace(env.Get("model"))
	if asked == "" {
		asked = standard
	}
	if asked == "" {
		return Model{}, Fail(abi.LlmConfig, "no model is configured: set the model of capsule %s", p.capsule())
	}
	table, err := p.table()
	if err != nil {
		return Model{}, err
	}
	m := table.Find(asked)
	for _, l := range p.list().Models {
		if l.ID == asked {
			m = m.or(l)
		}
	}
	return p.sized(m, asked == standard)
}

// sized applies the settings that bound a model. The window is meant for the model of the
// settings, and for those of which nothing is known.
func (p *Provider) sized(m Model, standard bool) (Model, error) {
	window, err := number("context_window")
	if err != nil {
		return Model{}, err
	}
	if window > 0 && (standard || m.Window == 0) {
		m.Window = window
	}
	if m.Window == 0 {
		m.Window = p.Window
	}
	output, err := number("max_output_tokens")
	if err != nil {
		return Model{}, err
	}
	if output > 0 && (m.Output == 0 || output < m.Output) {
		m.Output = output
	}
	return m, nil
}

func (p *Provider) table() (*Table, error) {
	text := env.Get("models")
	if p.read.table != nil && p.read.text == text {
		return p.read.table, nil
	}
	t, err := ParseTable(text)
	if err != nil {
		return t, err
	}
	if !p.NeedsKey {
		t.rows = slices.DeleteFunc(t.rows, func(m Model) bool { return m.ID == "*" })
	}
	p.read.text, p.read.table = text, t
	return t, nil
}

// read is what was made of the settings and the stored list last: each request needs it, and it seldom changes.
type read struct {
	text  string
	table *Table
	raw   []byte
	list  kept
}

// list is the list that was fetched last, if it is from the server that is configured now.
func (p *Provider) list() kept {
	raw, err := kv.Get(listKey)
	if err == nil && !bytes.Equal(raw, p.read.raw) {
		p.read.raw, p.read.list = nil, kept{}
		if err = json.Unmarshal(raw, &p.read.list); err == nil {
			p.read.raw = raw
		}
	}
	l := p.read.list
	if err != nil || len(raw) == 0 || l.From != Endpoint("") {
		return kept{} // it is fetched anew when somebody asks for it
	}
	return l
}

func (l kept) has(id string) string {
	for _, m := range l.Models {
		if m.ID == id {
			return l.At
		}
	}
	return ""
}

// refresh fetches the vendor's list and keeps it.
func (p *Provider) refresh() error {
	if _, err := p.readKey(); err != nil {
		return err
	}
	r, err := http.Do(p.List())
	if err != nil {
		return err
	}
	if !r.OK() {
		return vendorFailure(r.Status, r.Body)
	}
	var body struct {
		Data []json.RawMessage `json:"data"`
	}
	if err := r.JSON(&body); err != nil {
		return Unreadable(err)
	}
	l := kept{From: Endpoint(""), At: sdktime.Now().UTC().Format(time.RFC3339)}
	for _, raw := range body.Data {
		m := p.Listed(raw)
		if m.ID = readable(m.ID); m.ID == "" || len(l.Models) == abi.MaxModels {
			continue
		}
		m.Name = readable(m.Name)
		l.Models = append(l.Models, m)
	}
	return kv.SetJSON(listKey, l)
}
