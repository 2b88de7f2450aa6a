package capsule

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// graph makes manifests from lines "name +exports -imports ?optional", each interface as name@version or
// name@requirement. "!" marks an uplink.
func graph(lines ...string) []*Manifest {
	var out []*Manifest
	for i, line := range lines {
		words := strings.Fields(line)
		m := &Manifest{Path: fmt.Sprintf("/%d/%s", i, words[0]), Package: Package{Name: words[0]}}
		for _, w := range words[1:] {
			name, version, _ := strings.Cut(w[1:], "@")
			iface := Interface{"astrid", name}
			switch w[0] {
			case '!':
				m.Capabilities.Uplink = true
			case '+':
				m.Exports = append(m.Exports, Export{iface, MustVersion(version)})
			default:
				m.Imports = append(m.Imports, Import{iface, mustRequirement(version), w[0] == '?'})
			}
		}
		out = append(out, m)
	}
	return out
}

func names(ms []*Manifest) string {
	var out []string
	for _, m := range ms {
		out = append(out, m.ID())
	}
	return strings.Join(out, " ")
}

func TestResolve(t *testing.T) {
	tests := []struct {
		name    string
		graph   []string
		order   string
		refused []string // "name: part of the reason"
	}{
		{"nothing", nil, "", nil},
		{"by name", []string{"c", "a", "b"}, "a b c", nil},
		{"provider first", []string{"a -x@1", "b +x@1.0.0"}, "b a", nil},
		{"chain", []string{"a -x@1", "b +x@1.0.0 -y@1", "c +y@1.2.0"}, "c b a", nil},
		{"all providers first", []string{"a -x@1", "b +x@1.0.0", "c +x@1.5.0", "d +x@2.0.0"}, "b c a d", nil},
		{"uplinks first", []string{"a", "z !", "b -x@1", "y ! +x@1.0.0"}, "y z a b", nil},
		{"missing", []string{"a -x@1", "b"}, "b", []string{"a: it needs astrid/x ^1, which no installed capsule provides; install one"}},
		{"other version", []string{"a -x@2", "b +x@1.0.0", "c +x@1.1.0"}, "b c", []string{"a: it needs astrid/x ^2, but b provides 1.0.0 and c provides 1.1.0; update"}},
		{"spreads", []string{"a -x@1", "b +x@1.0.0 -y@1", "c -z@1 +y@1.0.0"}, "", []string{
			"a: it needs astrid/x ^1 from b, which cannot be loaded either", "b: from c, which", "c: astrid/z"}},
		{"another provider stays", []string{"a -x@1", "b +x@1.0.0 -y@1", "c +x@1.0.0"}, "c a", []string{"b: astrid/y"}},
		{"optional missing", []string{"a ?x@1"}, "a", nil},
		{"optional orders", []string{"a ?x@1", "b +x@1.0.0"}, "b a", nil},
		{"optional of a refused", []string{"a ?x@1", "b +x@1.0.0 -y@1"}, "a", []string{"b: astrid/y"}},
		{"optional of another version", []string{"a ?x@2", "b +x@1.0.0"}, "a b", nil},
		{"optional cycle", []string{"a ?x@1 +y@1.0.0", "b +x@1.0.0 ?y@1"}, "b a", nil},
		{"half optional cycle", []string{"a -x@1 +y@1.0.0", "b +x@1.0.0 ?y@1"}, "b a", nil},
		{"half optional cycle, other way", []string{"a ?x@1 +y@1.0.0", "b +x@1.0.0 -y@1"}, "a b", nil},
		{"cycle", []string{"a -x@1 +y@1.0.0", "b +x@1.0.0 -y@1", "c"}, "c", []string{"a: a → b → a", "b: b → a → b"}},
		{"cycle of three", []string{"a -x@1 +z@1.0.0", "b +x@1.0.0 -y@1", "c +y@1.0.0 -z@1"}, "", []string{"a: a → b → c → a", "b: b → c → a → b", "c: c → a → b → c"}},
		{"behind a cycle", []string{"a -x@1 +y@1.0.0", "b +x@1.0.0 -y@1", "c -x@1", "d -x@1", "e +x@1.1.0"}, "e c d", []string{"a: a → b → a", "b: b → a → b"}},
		{"behind a cycle only", []string{"a -x@1 +y@1.0.0", "b +x@1.0.0 -y@1", "c -x@1"}, "", []string{"a: cycle", "b: cycle", "c: it needs astrid/x ^1 from b, which cannot be loaded either"}},
		{"itself", []string{"a +x@1.0.0 -x@1"}, "a", nil},
		{"itself and another", []string{"a +x@1.0.0 -x@1", "b +x@1.0.0 -x@1"}, "a b", nil},
		{"itself in another version", []string{"a +x@1.0.0 -x@2"}, "", []string{"a: a provides 1.0.0"}},
		{"uplink with imports", []string{"a ! -x@1", "b +x@1.0.0"}, "b", []string{"a: cannot import astrid/x"}},
		{"uplink with optional imports", []string{"a ! ?x@1", "b +x@1.0.0"}, "b", []string{"a: it is an uplink"}},
		{"same name", []string{"a +x@1.0.0", "a +y@1.0.0", "b -x@1"}, "a b", []string{"a: /0/a is loaded, /1/a is not"}},
		{"what a duplicate provides does not count", []string{"a", "a +x@1.0.0", "b -x@1"}, "a", []string{"a: already taken", "b: no installed capsule"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := Resolve(graph(tt.graph...))
			if got := names(p.Order); got != tt.order {
				t.Errorf("order %q, want %q", got, tt.order)
			}
			if len(p.Refused) != len(tt.refused) {
				t.Fatalf("refused %v, want %v", p.Refused, tt.refused)
			}
			for i, want := range tt.refused {
				name, reason, _ := strings.Cut(want, ": ")
				if r := p.Refused[i]; r.Manifest.ID() != name || !strings.Contains(r.Reason, reason) {
					t.Errorf("refused %v, want %s", r.Error(), want)
				}
			}
		})
	}
}

// drawGraph draws capsules with distinct names that import and export a few interfaces at a few versions.
func drawGraph(t *rapid.T) []*Manifest {
	n := rapid.IntRange(0, 9).Draw(t, "capsules")
	lines := make([]string, n)
	for i := range lines {
		lines[i] = fmt.Sprintf("c%d", i)
		if rapid.IntRange(0, 5).Draw(t, "uplink") == 0 {
			lines[i] += " !"
		}
		for range rapid.IntRange(0, 2).Draw(t, "exports") {
			lines[i] += fmt.Sprintf(" +i%d@%d.0.0", rapid.IntRange(0, 4).Draw(t, "interface"), rapid.IntRange(1, 2).Draw(t, "version"))
		}
		for range rapid.IntRange(0, 2).Draw(t, "imports") {
			kind := rapid.SampledFrom([]string{"-", "?"}).Draw(t, "kind")
			lines[i] += fmt.Sprintf(" %si%d@%d", kind, rapid.IntRange(0, 4).Draw(t, "interface"), rapid.IntRange(1, 2).Draw(t, "version"))
		}
	}
	return graph(lines...)
}

func TestResolveProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ms := drawGraph(t)
		p := Resolve(ms)
		if len(p.Order)+len(p.Refused) != len(ms) {
			t.Fatalf("%d of %d capsules are accounted for", len(p.Order)+len(p.Refused), len(ms))
		}
		at := map[*Manifest]int{}
		for i, m := range p.Order {
			at[m] = i
		}
		for i, m := range p.Order {
			for _, imp := range m.Imports {
				if imp.Optional || m.satisfies(imp) {
					continue
				}
				if !provided(imp, p.Order[:i]) {
					t.Fatalf("%s comes before every provider of %s: %s", m.ID(), imp.Interface, names(p.Order))
				}
				for _, other := range p.Order[i:] {
					if other.satisfies(imp) {
						t.Fatalf("%s comes before %s, which provides %s: %s", m.ID(), other.ID(), imp.Interface, names(p.Order))
					}
				}
			}
		}
		for _, r := range p.Refused {
			if r.Reason == "" || len(r.Manifest.Imports) == 0 {
				t.Fatalf("%s was refused without need: %q", r.Manifest.ID(), r.Reason)
			}
		}
		// The order of the input does not show.
		for i := len(ms) - 1; i > 0; i-- {
			j := rapid.IntRange(0, i).Draw(t, "swap")
			ms[i], ms[j] = ms[j], ms[i]
		}
		q := Resolve(ms)
		if names(p.Order) != names(q.Order) || !slices.Equal(p.Refused, q.Refused) {
			t.Fatalf("the order of the input shows:\n%s %v\n%s %v", names(p.Order), p.Refused, names(q.Order), q.Refused)
		}
	})
}

func BenchmarkResolve(b *testing.B) {
	var lines []string
	for i := range 200 {
		lines = append(lines, fmt.Sprintf("c%03d +i%d@1.0.0 -i%d@1 ?i%d@1", 199-i, i, max(0, i-1), i/2))
	}
	ms := graph(lines...)
	for b.Loop() {
		Resolve(ms)
	}
}
