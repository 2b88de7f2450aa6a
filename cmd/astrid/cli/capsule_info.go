package cli

import (
	"context"
	"errors"
	"fmt"
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
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := openCapsules(sys)
			if err != nil {
				return err
			}
			i, err := c.find(args[0])
			if err != nil {
				return err
			}
			d, err := c.details(cmd.Context(), i)
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(sys.Stdout, d)
			}
			return c.printDetails(d)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// capsuleDetails is the output of info.
type capsuleDetails struct {
	capsuleInfo
	May      []string           `json:"may"`      // what the manifest allows
	Settings []settingInfo      `json:"settings"` // by key
	Consent  []string           `json:"consent"`  // token patterns that were agreed to
	Running  *abi.CapsuleStatus `json:"running,omitempty"`
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
	d := &capsuleDetails{capsuleInfo: describeCapsule(i, disabled[i.Name]), May: []string{}, Settings: []settingInfo{}, Consent: []string{}}
	if i.Manifest != nil {
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
	for _, g := range d.May {
		rows = append(rows, [2]string{"may", oneLine(g)})
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
