package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/capsule/store"
)

func newCapsuleList(sys System) *cobra.Command {
	var asJSON, verbose bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the installed capsules", Args: cobra.NoArgs,
		RunE: onCapsules(sys, func(_ context.Context, c *capsules, _ []string) error {
			list, err := c.describeAll()
			switch {
			case err != nil:
				return err
			case asJSON:
				return writeJSON(sys.Stdout, list)
			case len(list) == 0:
				sys.notef("no capsules are installed; `astrid init` installs a distribution")
				return nil
			case verbose:
				return c.listVerbose(list)
			}
			return c.list(list)
		}),
	}
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "show source, interfaces and topics")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// capsuleInfo is one capsule in the output of list and info.
type capsuleInfo struct {
	Name        string              `json:"name"`
	Version     string              `json:"version"`
	Description string              `json:"description,omitempty"`
	Location    string              `json:"location"` // always user
	Dir         string              `json:"dir"`
	Source      string              `json:"source,omitempty"`
	InstalledAt time.Time           `json:"installed_at,omitzero"`
	UpdatedAt   time.Time           `json:"updated_at,omitzero"`
	WasmHash    string              `json:"wasm_hash,omitempty"`
	Disabled    bool                `json:"disabled"`
	Problem     string              `json:"problem,omitempty"` // why it cannot be used
	Exports     []interfaceInfo     `json:"exports"`
	Imports     []interfaceInfo     `json:"imports"`
	Topics      []capsule.MetaTopic `json:"topics,omitempty"`
}

// interfaceInfo is an export with its version, or an import with its requirement.
type interfaceInfo struct {
	Interface string `json:"interface"`
	Version   string `json:"version"`
	Optional  bool   `json:"optional,omitempty"`
}

func (c *capsules) describeAll() ([]capsuleInfo, error) {
	all, err := c.store.List()
	if err != nil {
		return nil, err
	}
	disabled, err := c.state.Disabled()
	if err != nil {
		return nil, err
	}
	out := make([]capsuleInfo, len(all))
	for n, i := range all {
		out[n] = describeCapsule(i, disabled[i.Name])
	}
	return out, nil
}

func describeCapsule(i store.Installed, disabled bool) capsuleInfo {
	info := capsuleInfo{
		Name: i.Name, Version: i.Version(), Location: "user", Dir: i.Dir, Disabled: disabled,
		Exports: []interfaceInfo{}, Imports: []interfaceInfo{},
	}
	if i.Err != nil {
		info.Problem = i.Err.Error()
	}
	if m := i.Meta; m != nil {
		info.Source, info.InstalledAt, info.UpdatedAt, info.WasmHash, info.Topics = m.Source, m.InstalledAt, m.UpdatedAt, m.WasmHash, m.Topics
	}
	if m := i.Manifest; m != nil {
		info.Description = m.Package.Description
		for _, e := range m.Exports {
			info.Exports = append(info.Exports, interfaceInfo{e.Interface.String(), e.Version.String(), false})
		}
		for _, n := range m.Imports {
			info.Imports = append(info.Imports, interfaceInfo{n.Interface.String(), n.Requirement.String(), n.Optional})
		}
	}
	return info
}

func (i capsuleInfo) state() string {
	switch {
	case i.Problem != "":
		return "damaged"
	case i.Disabled:
		return "disabled"
	}
	return ""
}

func (c *capsules) list(list []capsuleInfo) error {
	rows := make([][]string, len(list))
	for n, i := range list {
		rows[n] = []string{
			i.Name, i.Version, "[" + i.Location + "]", fmt.Sprintf("exports: %d, imports: %d", len(i.Exports), len(i.Imports)),
		}
		if s := i.state(); s != "" {
			rows[n] = append(rows[n], s)
		}
	}
	if err := table(c.sys.Stdout, rows); err != nil {
		return err
	}
	for _, i := range list {
		if i.Problem != "" {
			c.sys.notef("%s: %s", i.Name, oneLine(i.Problem))
		}
	}
	return nil
}

func (c *capsules) listVerbose(list []capsuleInfo) error {
	for n, i := range list {
		if n > 0 {
			fmt.Fprintln(c.sys.Stdout)
		}
		if err := details(c.sys.Stdout, infoRows(i)); err != nil {
			return err
		}
	}
	return nil
}

// infoRows is what list --verbose and info have in common.
func infoRows(i capsuleInfo) [][2]string {
	rows := [][2]string{
		{"name", i.Name}, {"version", i.Version}, {"description", oneLine(i.Description)}, {"state", i.state()}, {"problem", oneLine(i.Problem)},
		{"source", oneLine(i.Source)}, {"installed", stamp(i.InstalledAt)}, {"updated", updated(i)}, {"directory", i.Dir}, {"binary", prefixed("blake3:", i.WasmHash)},
	}
	for _, e := range i.Exports {
		rows = append(rows, [2]string{"exports", e.Interface + " " + e.Version})
	}
	for _, m := range i.Imports {
		text := m.Interface + " " + m.Version
		if m.Optional {
			text += " (optional)"
		}
		rows = append(rows, [2]string{"imports", text})
	}
	for _, t := range i.Topics {
		text := t.Name + " [" + t.Direction + "]"
		if t.Description != "" {
			text += " " + t.Description
		}
		rows = append(rows, [2]string{"topic", oneLine(text)})
	}
	return rows
}

// updated is the time of the last update, if there was one.
func updated(i capsuleInfo) string {
	if i.UpdatedAt.Equal(i.InstalledAt) {
		return ""
	}
	return stamp(i.UpdatedAt)
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}
