package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/capsule/store"
)

// conflicts lists the installed capsules that export an interface of m in a version that
// serves the same importers.
func conflicts(all []store.Installed, m *capsule.Manifest) (names []string, about []string) {
	for _, other := range all {
		if other.Name == m.ID() || other.Manifest == nil {
			continue
		}
		for _, e := range m.Exports {
			i := slices.IndexFunc(other.Manifest.Exports, func(o capsule.Export) bool {
				return o.Interface == e.Interface && compatible(o.Version, e.Version)
			})
			if i < 0 {
				continue
			}
			about = append(about, fmt.Sprintf("%s %s is exported by %s %s too", e.Interface, e.Version, other.Name, other.Manifest.Exports[i].Version))
			if !slices.Contains(names, other.Name) {
				names = append(names, other.Name)
			}
		}
	}
	return names, about
}

// compatible tells whether one requirement of the usual form can be met by both versions.
func compatible(a, b capsule.Version) bool {
	older := a
	if b.Compare(a) < 0 {
		older = b
	}
	r, err := capsule.ParseRequirement("^" + older.String())
	return err == nil && r.Matches(a) && r.Matches(b)
}

// replaced decides which of the conflicting capsules go. Several providers side by side are
// what some interfaces are made for, so that is the answer where nobody is asked.
func (o *installOptions) replaced(ctx context.Context, all []store.Installed, m *capsule.Manifest) ([]string, error) {
	names, about := conflicts(all, m)
	for _, a := range about {
		o.sys.notef("%s", a)
	}
	switch {
	case len(names) == 0:
		return nil, nil
	case o.replace:
		return names, nil
	case o.keep || !o.asks():
		o.sys.notef("both stay; --replace removes %s", strings.Join(names, ", "))
		return nil, nil
	}
	fmt.Fprintf(o.sys.Stderr, "Replace %s, or keep both? [r/K] ", strings.Join(names, ", "))
	line, err := o.sys.readLine(ctx, o.in)
	if err != nil {
		return nil, err
	}
	switch strings.ToLower(line) {
	case "r", "replace":
		return names, nil
	case "", "k", "keep", "b", "both":
		return nil, nil
	}
	return nil, fail(ExitUsage, "%q is neither replace nor keep; nothing was installed", line)
}
