package store

import "github.com/unicity-astrid/astrid-go/capsule"

// Node is one capsule in the dependency view.
type Node struct {
	Name    string
	Version string
	Exports []capsule.Export
	Imports []Link
}

// Link is one import with those who can provide it.
type Link struct {
	Import    capsule.Import
	Providers []Provider // other capsules with a matching version, in list order
	Own       bool       // the capsule exports it itself
}

// Satisfied reports whether the import has a provider.
func (l Link) Satisfied() bool { return l.Own || len(l.Providers) > 0 }

// Provider is a capsule that exports a matching version.
type Provider struct{ Name, Version string }

// Tree links imports to providers. Capsules without a readable manifest are left out: List reports them.
func Tree(all []Installed) []Node {
	var nodes []Node
	for _, i := range all {
		if i.Manifest == nil {
			continue
		}
		node := Node{Name: i.Name, Version: i.Version(), Exports: i.Manifest.Exports}
		for _, need := range i.Manifest.Imports {
			node.Imports = append(node.Imports, link(all, i, need))
		}
		nodes = append(nodes, node)
	}
	return nodes
}

func link(all []Installed, of Installed, need capsule.Import) Link {
	l := Link{Import: need, Own: exports(of, need)}
	for _, other := range all {
		if other.Dir == of.Dir || other.Manifest == nil {
			continue
		}
		for _, e := range other.Manifest.Exports {
			if e.Satisfies(need) {
				l.Providers = append(l.Providers, Provider{other.Name, e.Version.String()})
			}
		}
	}
	return l
}
