package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/host/hosttest"
	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/cli"
)

// TestInstallChecksImports: a capsule that wants what the host does not offer is not installed, and the error says what
// it wanted and what there is.
func TestInstallChecksImports(t *testing.T) {
	p := newPlace(t)
	install := func(imports ...hosttest.Import) (int, string) {
		t.Helper()
		m := hosttest.Module{Imports: imports, Pages: 1, Funcs: []hosttest.Func{{
			Export: abi.ExportHookTrigger, Params: []byte{hosttest.I32}, Results: []byte{hosttest.I64}, Code: hosttest.Const64(0)}}}
		dir := filepath.Join(p.cwd, "guest")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for name, data := range map[string][]byte{
			capsule.ManifestName: []byte("[package]\nname = \"guest\"\nversion = \"1.0.0\"\n\n[[component]]\nid = \"main\"\nfile = \"g.wasm\"\n"),
			"g.wasm":             m.Bytes(),
		} {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		code, _, stderr := p.run("", "capsule", "install", "--yes", "./guest")
		return code, stderr
	}
	for name, c := range map[string]struct {
		imports []hosttest.Import
		words   []string
	}{
		"module":      {[]hosttest.Import{{Module: "env", Name: "system"}}, []string{"env.system", "no such module", "Modules: astrid, astrid_link, extism:host/env, extism:host/user, shim, wasi_snapshot_preview1"}},
		"function":    {[]hosttest.Import{{Module: abi.ModuleLink, Name: "give"}}, []string{"astrid_link.give", "no such function", "astrid_link has take"}},
		"conventions": {[]hosttest.Import{hosttest.Native(abi.ClockMs, 0), hosttest.Extism(abi.ClockMs, 0, true)}, []string{"one or the other"}},
	} {
		code, stderr := install(c.imports...)
		if code != cli.ExitError {
			t.Errorf("%s: exit %d", name, code)
		}
		for _, w := range c.words {
			if !strings.Contains(stderr, w) {
				t.Errorf("%s: %q lacks %q", name, stderr, w)
			}
		}
		if p.exists(".local", "capsules", "guest") {
			t.Errorf("%s: it was installed", name)
		}
	}
	if code, stderr := install(hosttest.Native(abi.ClockMs, 0)); code != cli.ExitOK {
		t.Errorf("a good one: exit %d: %s", code, stderr)
	}
}
