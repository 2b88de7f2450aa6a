package config

import (
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

func (p *layerParser) list(k *key, vals []any, n node, at Origin) (any, bool) {
	if len(vals) > maxItems {
		p.fail(at, k.path, "has %d entries, more than the limit of %d", len(vals), maxItems)
		return nil, false
	}
	out := make([]Item, len(vals))
	where := itemPositions(p.src, n.pos.Start)
	for i, v := range vals {
		s, ok := v.(string)
		if !ok {
			p.fail(at, k.path, "must be %v; entry %d is %s", k.kind, i+1, describe(v))
			return nil, false
		}
		o := at
		if len(where) == len(vals) {
			o.Line, o.Col = where[i].line, where[i].col
		}
		out[i] = Item{Value: p.expand(s, o), Origin: o}
	}
	return out, true
}

func (p *layerParser) prices(k *key, table map[string]toml.Primitive) (any, bool) {
	out := []Price{}
	for _, host := range slices.Sorted(maps.Keys(table)) {
		path := k.path + "." + host
		n := p.node(table[host])
		o := p.at(host, n)
		var usd float64
		switch v := n.data.(type) {
		case int64:
			usd = float64(v)
		case float64:
			usd = v
		default:
			p.fail(o, path, "must be a number, not %s", describe(v))
			return nil, false
		}
		if msg := checkHost(host); msg != "" {
			p.fail(o, path, "%s", msg)
			return nil, false
		}
		if math.IsNaN(usd) || usd < 0 || usd > 10000 {
			p.fail(o, path, "%v is out of range; must be between 0 and 10000", usd)
			return nil, false
		}
		out = append(out, Price{Host: host, USD: usd, Origin: o})
	}
	return out, true
}

var linkKeys = []string{"platform", "platform_user_id", "astrid_user", "method"}

func (p *layerParser) links(k *key, tables []map[string]any, at Origin) (any, bool) {
	out := []Link{}
	heads := headerPositions(p.src, k.path)
	for i, t := range tables {
		o := at
		if len(heads) == len(tables) {
			o.Line, o.Col = heads[i].line, heads[i].col
		}
		l := Link{Method: "admin", Origin: o}
		for _, name := range slices.Sorted(maps.Keys(t)) {
			path := k.path + "." + name
			s, ok := t[name].(string)
			if !slices.Contains(linkKeys, name) {
				p.fail(o, path, "unknown key%s", didYouMean(name, linkKeys))
				return nil, false
			}
			if !ok {
				p.fail(o, path, "must be a string, not %s", describe(t[name]))
				return nil, false
			}
			s = p.expand(s, o)
			switch name {
			case "platform":
				l.Platform = s
			case "platform_user_id":
				l.PlatformUserID = s
			case "astrid_user":
				l.AstridUser = s
			case "method":
				l.Method = s
			}
		}
		for _, need := range []struct{ name, val string }{{"platform", l.Platform}, {"platform_user_id", l.PlatformUserID}, {"astrid_user", l.AstridUser}, {"method", l.Method}} {
			if strings.TrimSpace(need.val) == "" {
				p.fail(o, k.path, "%s must not be empty", need.name)
				return nil, false
			}
		}
		out = append(out, l)
	}
	return out, true
}
