package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/capsule/store"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/client"
)

func newCapsuleInfo(sys System) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "info NAME", Short: "Show what a capsule is, may do and is set to", Args: cobra.ExactArgs(1),
		RunE: onCapsules(sys, func(ctx context.Context, c *capsules, args []string) error {
			i, err := c.find(args[0])
			if err != nil {
				return err
			}
			d, err := c.details(ctx, i)
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(sys.Stdout, d)
			}
			return c.printDetails(d)
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// capsuleDetails is the output of info.
type capsuleDetails struct {
	capsuleInfo
	Tools    []toolInfo         `json:"tools"`
	Commands []commandInfo      `json:"commands"`
	May      []string           `json:"may"`      // what the manifest allows
	Settings []settingInfo      `json:"settings"` // by key
	Consent  []string           `json:"consent"`  // token patterns that were agreed to
	Running  *abi.CapsuleStatus `json:"running,omitempty"`
}

// toolInfo is a tool that models can call.
type toolInfo struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Schema      json.RawMessage `json:"input_schema,omitempty"` // JSON schema of the arguments
}

// commandInfo is a command that people can type.
type commandInfo struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
}

// settingInfo is one [env] value. The value of a secret is never shown.
type settingInfo struct {
	Key    string `json:"key"`
	Value  string `json:"value,omitempty"`
	From   string `json:"from"` // user, default or missing
	Secret bool   `json:"secret,omitempty"`
}

func (c *capsules) details(ctx context.Context, i store.Installed) (*capsuleDetails, error) {
	disabled, err := c.state.Disabled()
	if err != nil {
		return nil, err
	}
	d := &capsuleDetails{
		capsuleInfo: describeCapsule(i, disabled[i.Name]),
		Tools:       []toolInfo{}, Commands: []commandInfo{}, May: []string{}, Settings: []settingInfo{}, Consent: []string{},
	}
	if i.Manifest != nil {
		tools, err := capsule.LoadTools(i.Manifest)
		if err != nil && d.Problem == "" {
			d.Problem = err.Error() // the rest can still be told
		}
		for _, t := range tools {
			d.Tools = append(d.Tools, toolInfo{t.Name, t.Description, t.InputSchema})
		}
		for _, cmd := range i.Manifest.Commands {
			d.Commands = append(d.Commands, commandInfo{cmd.Name, cmd.Description})
		}
		d.May = append(d.May, grants(i.Manifest)...)
		if d.Settings, err = c.settingsOf(i.Manifest); err != nil {
			return nil, err
		}
	}
	agreed, err := capsule.LoadConsent(capsule.ConsentPath(c.principal.Root(), i.Name))
	if err != nil {
		return nil, err
	}
	if agreed != nil {
		d.Consent = append(d.Consent, agreed.Resources...)
	}
	d.Running, err = c.running(ctx, i.Name)
	return d, err
}

func (c *capsules) settingsOf(m *capsule.Manifest) ([]settingInfo, error) {
	set, err := c.settings.Load(m)
	if err != nil {
		return nil, err
	}
	out := []settingInfo{}
	for _, key := range names(m.Env) {
		f := m.Env[key]
		s := settingInfo{Key: key, Value: set[key], From: "user", Secret: f.Kind() == capsule.EnvSecret}
		if s.Value == "" {
			text, ok := f.DefaultText()
			if s.Value, s.From = text, "default"; !ok {
				s.From = "missing"
			}
		}
		if s.Secret {
			s.Value = ""
		}
		out = append(out, s)
	}
	return out, nil
}

// running is what a daemon says about a capsule; nil without a daemon.
func (c *capsules) running(ctx context.Context, name string) (*abi.CapsuleStatus, error) {
	conn, err := client.Dial(ctx, c.home, Version)
	if errors.Is(err, client.ErrNoDaemon) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	st, err := fetchStatus(ctx, conn)
	if err != nil {
		return nil, err
	}
	for i := range st.Capsules {
		if st.Capsules[i].Name == name {
			return &st.Capsules[i], nil
		}
	}
	return nil, nil
}

func (c *capsules) printDetails(d *capsuleDetails) error {
	rows := infoRows(d.capsuleInfo)
	for _, t := range d.Tools {
		rows = append(rows, [2]string{"tool", oneLine(strings.TrimSuffix(t.Name+": "+t.Description, ": "))})
		for _, a := range t.arguments() {
			rows = append(rows, [2]string{"", "  " + oneLine(a)})
		}
	}
	for _, cmd := range d.Commands {
		rows = append(rows, [2]string{"command", oneLine(strings.TrimSuffix(cmd.Name+": "+cmd.Description, ": "))})
	}
	env := map[string]string{}
	for _, s := range d.Settings {
		env[s.Key] = s.Value
	}
	for _, g := range d.May {
		rows = append(rows, [2]string{"may", inWords(g, env)})
	}
	for _, r := range d.Consent {
		rows = append(rows, [2]string{"agreed to", oneLine(r)})
	}
	for _, s := range d.Settings {
		rows = append(rows, [2]string{"setting", oneLine(s.text())})
	}
	if r := d.Running; r != nil {
		text := fmt.Sprintf("%s, %d instances, %.1f MiB, %d handled, %d failed", r.State, r.Instances, float64(r.MemoryBytes)/(1<<20), r.Handled, r.Failed)
		if r.Reason != "" {
			text = r.State + ": " + oneLine(r.Reason)
		}
		rows = append(rows, [2]string{"daemon", text})
	}
	return details(c.sys.Stdout, rows)
}

// arguments says what a tool takes, as far as its schema is an object of properties: those that it needs first.
func (t toolInfo) arguments() []string {
	var schema struct {
		Properties map[string]struct {
			Type        any    `json:"type"`
			Description string `json:"description"`
		} `json:"properties"`
		Required []string `json:"required"`
	}
	if json.Unmarshal(t.Schema, &schema) != nil {
		return nil // the schema is in --json, whatever it is
	}
	var needed, optional []string
	for _, name := range names(schema.Properties) {
		p := schema.Properties[name]
		text := name
		switch kind := p.Type.(type) {
		case string:
			text += " " + kind
		case []any: // the kinds, and null for one that may be left out
			for _, k := range kind {
				if k != "null" {
					text += fmt.Sprint(" ", k)
				}
			}
		}
		if p.Description != "" {
			text += ", " + p.Description
		}
		if slices.Contains(schema.Required, name) {
			needed = append(needed, text)
		} else {
			optional = append(optional, text+" (optional)")
		}
	}
	return append(needed, optional...)
}

func (s settingInfo) text() string {
	value := s.Value
	switch {
	case s.From == "missing":
		return s.Key + " is missing"
	case s.Secret && s.From == "user":
		value = strings.Repeat("•", 8)
	}
	if s.From == "default" {
		return s.Key + " = " + value + " (default)"
	}
	return s.Key + " = " + value
}
