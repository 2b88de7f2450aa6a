package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/capsule/store"
)

func newCapsuleTree(sys System) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "tree",
		Aliases: []string{"deps"},
		Short:   "Show which capsule provides what which other one needs",
		Long: `Show which capsule provides what which other one needs. Imports without a provider come
last; an optional one only means that the capsule does without it. A disabled capsule
provides nothing.`,
		Args: cobra.NoArgs,
		RunE: onCapsules(sys, func(_ context.Context, c *capsules, _ []string) error {
			nodes, err := c.tree()
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(sys.Stdout, nodes)
			}
			return c.printTree(nodes)
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// treeNode is one capsule of the tree.
type treeNode struct {
	Name     string          `json:"name"`
	Version  string          `json:"version"`
	Disabled bool            `json:"disabled"`
	Exports  []interfaceInfo `json:"exports"`
	Imports  []treeImport    `json:"imports"`
}

type treeImport struct {
	Interface   string         `json:"interface"`
	Requirement string         `json:"requirement"`
	Optional    bool           `json:"optional"`
	Status      string         `json:"status"` // satisfied, optional (nobody provides it) or missing
	Providers   []treeProvider `json:"providers"`
}

type treeProvider struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

func (c *capsules) tree() ([]treeNode, error) {
	all, err := c.store.List()
	if err != nil {
		return nil, err
	}
	disabled, err := c.state.Disabled()
	if err != nil {
		return nil, err
	}
	nodes := []treeNode{}
	for _, n := range store.Tree(all) {
		node := treeNode{Name: n.Name, Version: n.Version, Disabled: disabled[n.Name], Exports: []interfaceInfo{}, Imports: []treeImport{}}
		for _, e := range n.Exports {
			node.Exports = append(node.Exports, interfaceInfo{e.Interface.String(), e.Version.String(), false})
		}
		for _, l := range n.Imports {
			node.Imports = append(node.Imports, importOf(n, l, disabled))
		}
		nodes = append(nodes, node)
	}
	return nodes, nil
}

func importOf(n store.Node, l store.Link, disabled map[string]bool) treeImport {
	i := treeImport{
		Interface: l.Import.Interface.String(), Requirement: l.Import.Requirement.String(), Optional: l.Import.Optional,
		Status: "satisfied", Providers: []treeProvider{},
	}
	if l.Own {
		i.Providers = append(i.Providers, treeProvider{n.Name, n.Version})
	}
	for _, p := range l.Providers {
		if !disabled[p.Name] {
			i.Providers = append(i.Providers, treeProvider{p.Name, p.Version})
		}
	}
	switch {
	case len(i.Providers) > 0:
	case i.Optional:
		i.Status = "optional"
	default:
		i.Status = "missing"
	}
	return i
}

// colours of a terminal; empty into a pipe, or where NO_COLOR asks for none.
type colours struct{ bold, dim, red, green, end string }

func (s System) colours() colours {
	if !s.IsTerminal(s.Stdout) || !s.colour() {
		return colours{}
	}
	return colours{"\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[0m"}
}

func (c *capsules) printTree(nodes []treeNode) error {
	col := c.sys.colours()
	var b, lacking strings.Builder
	for n, node := range nodes {
		if n > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s%s%s %s", col.bold, node.Name, col.end, node.Version)
		if node.Disabled {
			b.WriteString(" (disabled)")
		}
		b.WriteByte('\n')
		for _, e := range node.Exports {
			fmt.Fprintf(&b, "  exports: %s %s\n", e.Interface, e.Version)
		}
		for _, i := range node.Imports {
			fmt.Fprintf(&b, "  imports: %s %s\n", i.Interface, i.Requirement)
			for _, p := range i.Providers {
				fmt.Fprintf(&b, "    %sexported by: %s (%s)%s\n", col.green, p.Name, p.Version, col.end)
			}
			switch i.Status {
			case "optional":
				fmt.Fprintf(&b, "    %sexported by: none, optional%s\n", col.dim, col.end)
			case "missing":
				fmt.Fprintf(&b, "    %sexported by: none, unsatisfied%s\n", col.red, col.end)
				fmt.Fprintf(&lacking, "  %s imports %s %s\n", node.Name, i.Interface, i.Requirement)
			}
		}
		if len(node.Exports)+len(node.Imports) == 0 {
			fmt.Fprintf(&b, "  %s(no imports or exports)%s\n", col.dim, col.end)
		}
	}
	if lacking.Len() > 0 {
		fmt.Fprintf(&b, "\n%sUnsatisfied imports%s\n%s", col.bold, col.end, lacking.String())
	}
	_, err := fmt.Fprint(c.sys.Stdout, b.String())
	return err
}
