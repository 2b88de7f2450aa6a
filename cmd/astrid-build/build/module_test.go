package build

import (
	"context"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/capsule"
)

// moduleSpec describes a small WebAssembly module. All functions have the type () -> () unless typed says
// (i32) -> i64.
type moduleSpec struct {
	imports  [][2]string
	exports  []string
	typed    bool
	pages    byte // initial memory; 0 means 1
	noMemory bool
	imported bool // the memory is imported
}

// module assembles the binary by hand, so that each rule can be broken alone.
func module(s moduleSpec) []byte {
	section := func(id byte, items ...[]byte) []byte {
		body := []byte{byte(len(items))}
		for _, item := range items {
			body = append(body, item...)
		}
		return append([]byte{id, byte(len(body))}, body...)
	}
	name := func(s string) []byte { return append([]byte{byte(len(s))}, s...) }
	out := []byte("\x00asm\x01\x00\x00\x00")
	out = append(out, section(1, []byte{0x60, 0, 0}, []byte{0x60, 1, 0x7f, 1, 0x7e})...)
	var imports, functions, exports, bodies [][]byte
	for _, i := range s.imports {
		imports = append(imports, append(append(name(i[0]), name(i[1])...), 0, 0))
	}
	if s.imported {
		imports = append(imports, append(append(name("env"), name("memory")...), 2, 0, 1))
	}
	typ, body := byte(0), []byte{2, 0, 0x0b}
	if s.typed {
		typ, body = 1, []byte{4, 0, 0x42, 0, 0x0b}
	}
	for i, e := range s.exports {
		functions = append(functions, []byte{typ})
		exports = append(exports, append(name(e), 0, byte(len(s.imports)+i)))
		bodies = append(bodies, body)
	}
	out = append(out, section(2, imports...)...)
	out = append(out, section(3, functions...)...)
	if !s.imported {
		pages := []byte{0, max(s.pages, 1)}
		if s.pages == 255 {
			pages = []byte{0, 0x81, 0x08} // 1025
		}
		out = append(out, section(5, pages)...)
	}
	if !s.noMemory {
		exports = append(exports, append(name("memory"), 2, 0))
	}
	out = append(out, section(7, exports...)...)
	return append(out, section(10, bodies...)...)
}

// fits makes both checks of a module.
func (p *project) fits(ctx context.Context) error {
	if err := checkModule(ctx, p.manifest, p.wasm); err != nil {
		return err
	}
	return p.tryRun(ctx, nil)
}

func TestCheckModule(t *testing.T) {
	tests := []struct {
		name         string
		spec         moduleSpec
		interceptors bool
		want         string // "" passes
	}{
		{name: "runs", spec: moduleSpec{exports: []string{"run"}, typed: true}},
		{name: "handles", spec: moduleSpec{exports: []string{"astrid_hook_trigger"}, typed: true}, interceptors: true},
		{name: "Extism", spec: moduleSpec{exports: []string{"run"}, imports: [][2]string{{"extism:host/env", "reset"}}}},
		{name: "unknown module", spec: moduleSpec{exports: []string{"run"}, imports: [][2]string{{"env", "abort"}, {"env", "seed"}}}, want: "imports env.abort (no such module), env.seed"},
		{name: "unknown function", spec: moduleSpec{exports: []string{"run"}, imports: [][2]string{{"astrid", "astrid_nope"}}}, want: "astrid_nope"},
		{name: "yield", spec: moduleSpec{exports: []string{"run"}, imports: [][2]string{{"astrid_link", "yield"}}}, want: "yield"},
		{name: "no entry point", spec: moduleSpec{exports: []string{"other"}}, want: "never be called"},
		{name: "no handler", spec: moduleSpec{exports: []string{"astrid_install"}}, interceptors: true, want: "has interceptors"},
		{name: "run handles too", spec: moduleSpec{exports: []string{"run"}, typed: true}, interceptors: true},
		{name: "command", spec: moduleSpec{exports: []string{"_start"}}, want: "c-shared"},
		{name: "wrong type", spec: moduleSpec{exports: []string{"astrid_hook_trigger"}, imports: nil}, want: "must have type (i32) -> i64"},
		{name: "wrong type for Extism", spec: moduleSpec{exports: []string{"astrid_install"}, typed: true, imports: [][2]string{{"extism:host/env", "reset"}}}, want: "must have type () -> i32 or () -> ()"},
		{name: "hidden memory", spec: moduleSpec{exports: []string{"run"}, typed: true, noMemory: true}, want: "exports no memory"},
		{name: "imported memory", spec: moduleSpec{exports: []string{"run"}, imported: true}, want: "imports memory env.memory"},
		{name: "too much memory", spec: moduleSpec{exports: []string{"run"}, pages: 255}, want: "1025 pages"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := "[package]\nname = \"demo\"\nversion = \"1.0.0\"\n[[component]]\nfile = \"x.wasm\"\n"
			if tt.interceptors {
				text += "[[interceptor]]\nevent = \"a.b\"\naction = \"x\"\n"
			}
			m, err := capsule.ParseManifest("Capsule.toml", []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			err = (&project{manifest: m, wasm: module(tt.spec)}).fits(t.Context())
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want it to mention %q", err, tt.want)
			}
		})
	}
	m, _ := capsule.ParseManifest("Capsule.toml", []byte("[package]\nname = \"demo\"\nversion = \"1.0.0\"\n[[component]]\nfile = \"x.wasm\"\n"))
	for _, junk := range []string{"", "\x00asm", "not wasm", "\x00asm\x0d\x00\x01\x00"} {
		if err := checkModule(t.Context(), m, []byte(junk)); err == nil {
			t.Errorf("accepted %q", junk)
		}
	}
}
