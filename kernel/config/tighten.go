package config

import (
	"fmt"
	"slices"
	"strings"
)

// tighten merges a project's value into the one in force. What it returns is never looser than base. refused says which
// part of the project's wish was not granted, and is "" if all was.
type tighten func(base, ws value) (merged value, refused string)

// atMost lets numbers shrink.
func atMost(base, ws value) (value, string) {
	if asFloat(ws.v) > asFloat(base.v) {
		return base, fmt.Sprintf("%v is more than the %v in force", ws.v, base.v)
	}
	return ws, ""
}

// atMostOrUnlimited is atMost where 0 is no limit.
func atMostOrUnlimited(base, ws value) (value, string) {
	switch b, w := asFloat(base.v), asFloat(ws.v); {
	case b == 0, b == w:
		return ws, ""
	case w == 0:
		return base, fmt.Sprintf("0 is no limit, and %v is in force", base.v)
	}
	return atMost(base, ws)
}

func asFloat(v any) float64 {
	if n, ok := v.(int64); ok {
		return float64(n)
	}
	return v.(float64)
}

// onlyTrue lets a protection be switched on.
func onlyTrue(base, ws value) (value, string) {
	if base.v.(bool) && !ws.v.(bool) {
		return base, "true is in force"
	}
	return ws, ""
}

// onlyFalse lets a permission be taken away.
func onlyFalse(base, ws value) (value, string) {
	if !base.v.(bool) && ws.v.(bool) {
		return base, "false is in force"
	}
	return ws, ""
}

// stricter lets a word move towards the first of an order. All words are in it: the value was checked before.
func stricter(order ...string) tighten {
	return func(base, ws value) (value, string) {
		if slices.Index(order, ws.v.(string)) > slices.Index(order, base.v.(string)) {
			return base, fmt.Sprintf("%q is less strict than the %q in force", ws.v, base.v)
		}
		return ws, ""
	}
}

// union adds entries to a list of prohibitions. Those of the base stay, whether the project repeats them or not.
func union(base, ws value) (value, string) {
	out := slices.Clone(base.v.([]Item))
	for _, it := range ws.v.([]Item) {
		if !contains(out, it.Value) {
			out = append(out, it)
		}
	}
	return value{v: out, origin: ws.origin}, ""
}

// subset shrinks a list of permissions, of which an empty one permits everything.
func subset(base, ws value) (value, string) {
	b, w := base.v.([]Item), ws.v.([]Item)
	switch {
	case len(b) == 0:
		return ws, ""
	case len(w) == 0:
		return base, "an empty list allows everything, and a list is in force"
	}
	var kept []Item
	var foreign []string
	for _, it := range w {
		if contains(b, it.Value) {
			kept = append(kept, it)
		} else {
			foreign = append(foreign, fmt.Sprintf("%q", it.Value))
		}
	}
	refused := ""
	if len(foreign) > 0 {
		refused = strings.Join(foreign, ", ") + " is not in the list in force"
	}
	if len(kept) == 0 {
		return base, refused
	}
	return value{v: kept, origin: ws.origin}, refused
}

func contains(list []Item, s string) bool {
	return slices.ContainsFunc(list, func(it Item) bool { return it.Value == s })
}

// dearer adds hosts to a tariff and raises prices.
func dearer(base, ws value) (value, string) {
	out := slices.Clone(base.v.([]Price))
	var cheaper []string
	for _, p := range ws.v.([]Price) {
		i := slices.IndexFunc(out, func(o Price) bool { return o.Host == p.Host })
		switch {
		case i < 0:
			out = append(out, p)
		case p.USD >= out[i].USD:
			out[i] = p
		default:
			cheaper = append(cheaper, fmt.Sprintf("%v for %s is less than the %v in force", p.USD, p.Host, out[i].USD))
		}
	}
	slices.SortFunc(out, byHost)
	return value{v: out, origin: ws.origin}, strings.Join(cheaper, "; ")
}

// overlay is how the layers that may loosen merge: tables per key, all else is replaced.
func overlay(k *key, base, next value) value {
	if k.kind != prices {
		return next
	}
	out := slices.Clone(base.v.([]Price))
	for _, p := range next.v.([]Price) {
		if i := slices.IndexFunc(out, func(o Price) bool { return o.Host == p.Host }); i >= 0 {
			out[i] = p
		} else {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, byHost)
	return value{v: out, origin: next.origin}
}

func byHost(a, b Price) int { return strings.Compare(a.Host, b.Host) }
