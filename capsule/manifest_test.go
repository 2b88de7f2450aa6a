package capsule

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func mustParse(t testing.TB, text string) *Manifest {
	t.Helper()
	m, err := ParseManifest("Capsule.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func parseFile(t testing.TB, name string) *Manifest {
	t.Helper()
	m, err := LoadManifest(filepath.Join("testdata", "manifest", name))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// The complete example of the format: every key that exists.
func TestManifestComplete(t *testing.T) {
	m := parseFile(t, "complete.toml")
	p := m.Package
	if p.Name != "demo-capsule" || p.Version.String() != "1.2.0" || p.License != "MIT" || p.LicenseFile != "LICENSE.txt" ||
		!*p.Publish || p.Metadata["any"] != "thing" || !slices.Equal(p.Include, []string{"src/**"}) {
		t.Errorf("package %+v", p)
	}
	main := m.Main()
	if main.ID != "main" || main.File != "demo_capsule.wasm" || main.Instances != 1 || main.OrderBy != "" {
		t.Errorf("component %+v", main)
	}
	c := m.Capabilities
	for name, got := range map[string][2][]string{
		"fs_read": {c.FSRead, {"cwd://", "home://"}}, "fs_write": {c.FSWrite, {"cwd://"}}, "net": {c.Net, {"api.example.org"}},
		"host_process": {c.HostProcess, {"node", "git status"}}, "ipc_publish": {c.IPCPublish, {"tool.v1.execute.*.result"}},
		"ipc_subscribe": {c.IPCSubscribe, {"tool.v1.request.describe"}}, "identity": {c.Identity, {"resolve"}}, "kv": {c.KV, {}}, "net_bind": {c.NetBind, {}},
	} {
		if !slices.Equal(got[0], got[1]) {
			t.Errorf("%s is %v, want %v", name, got[0], got[1])
		}
	}
	if len(m.Imports) != 2 || m.Imports[0].Interface.String() != "astrid/llm" || m.Imports[0].Optional || m.Imports[0].Requirement.String() != "^1.0" ||
		m.Imports[1].Interface.String() != "astrid/session" || !m.Imports[1].Optional {
		t.Errorf("imports %+v", m.Imports)
	}
	if len(m.Exports) != 2 || m.Exports[0].Interface.String() != "astrid/context" || m.Exports[1].Version.String() != "1.0.0" {
		t.Errorf("exports %+v", m.Exports)
	}
	if m.Env["api_key"].Kind() != EnvSecret || m.Env["network"].Kind() != EnvEnum {
		t.Errorf("env %+v", m.Env)
	}
	if len(m.ContextFiles) != 1 || m.Commands[0].Name != "/demo" || m.MCPServers[0].Args[0] != "server.mjs" || m.Skills[0].File != "skills/review.md" ||
		m.Uplinks[0].Profile != "chat" || m.Topics[0].Schema != "schemas/event.json" {
		t.Errorf("tables %+v", m)
	}
	if i := m.Interceptors[0]; i != (Interceptor{"tool.v1.execute.demo", "tool_execute_demo", 50}) || !i.Guard() {
		t.Errorf("interceptor %+v", i)
	}
	if len(m.Warnings) != 0 || m.Dir != filepath.Join("testdata", "manifest") || !ValidHash(m.Hash) {
		t.Errorf("warnings %v, dir %s, hash %s", m.Warnings, m.Dir, m.Hash)
	}
	if got := m.Source("capabilities.net"); got != filepath.Join("testdata", "manifest", "complete.toml")+":38" {
		t.Errorf("source %s", got)
	}
	if got := m.Source("nothing.here"); got != m.Path {
		t.Errorf("source of an absent key %s", got)
	}
}

// Manifests of the shapes that the first-party capsules of v0.5 have.
func TestManifestsOfTheEra(t *testing.T) {
	react := parseFile(t, "era-react.toml")
	if len(react.Imports) != 4 || react.Interceptors[1].Priority != DefaultPriority || len(react.Capabilities.IPCPublish) != 3 {
		t.Errorf("%+v", react)
	}
	cli := parseFile(t, "era-cli.toml")
	if !cli.IsUplink() || len(cli.Uplinks) != 0 || !slices.Equal(cli.Capabilities.NetBind, []string{"unix:*"}) {
		t.Errorf("%+v", cli)
	}
	provider := parseFile(t, "era-provider.toml")
	if !slices.Equal(provider.Capabilities.Net, []string{"api.example.org"}) || provider.Env["api_key"].Type != "secret" || provider.Capabilities.IPCPublish == nil {
		t.Errorf("%+v", provider)
	}
	tools := parseFile(t, "era-fs.toml")
	if !slices.Equal(tools.Capabilities.FSRead, []string{"cwd://", "home://"}) || tools.Main().Type != "executable" {
		t.Errorf("%+v", tools)
	}
	for _, m := range []*Manifest{react, cli, provider, tools} {
		if len(m.Warnings) > 0 {
			t.Errorf("%s: %v", m.ID(), m.Warnings)
		}
	}
}

func TestManifestComponent(t *testing.T) {
	m := mustParse(t, "[package]\nname = \"a\"\nversion = \"1.0.0\"\n[[component]]\nentrypoint = \"x.wasm\"\ninstances = 8\norder_by = \"session_id\"\n")
	if c := m.Main(); c.File != "x.wasm" || c.Instances != 8 || c.OrderBy != "session_id" {
		t.Errorf("%+v", c)
	}
	if m := mustParse(t, "[package]\nname = \"a\"\nversion = \"1.0.0\"\n"); m.Main() != nil {
		t.Errorf("%+v", m.Main())
	}
}

// Every capability list that is declared on a component counts.
func TestManifestMergesComponentCapabilities(t *testing.T) {
	m := mustParse(t, `[package]
name = "a"
version = "1.0.0"
[capabilities]
net = ["a.example.org"]
[[component]]
file = "x.wasm"
[component.capabilities]
net = ["a.example.org", "b.example.org"]
kv = ["k"]
fs_read = ["cwd://r"]
fs_write = ["cwd://w"]
host_process = ["git"]
net_bind = ["unix:*"]
ipc_publish = ["a.b"]
ipc_subscribe = ["c.*"]
identity = ["link"]
uplink = true
allow_prompt_injection = true
[[component]]
file = "y.wasm"
capabilities = { kv = ["second"] }
`)
	want := Capabilities{
		Uplink: true, AllowPromptInjection: true, Net: []string{"a.example.org", "b.example.org"}, KV: []string{"k", "second"},
		FSRead: []string{"cwd://r"}, FSWrite: []string{"cwd://w"}, HostProcess: []string{"git"}, NetBind: []string{"unix:*"},
		IPCPublish: []string{"a.b"}, IPCSubscribe: []string{"c.*"}, Identity: []string{"link"},
	}
	wantLists, gotLists := want.lists(), m.Capabilities.lists()
	for i := range wantLists {
		if !slices.Equal(*wantLists[i].values, *gotLists[i].values) {
			t.Errorf("%s is %v, want %v", wantLists[i].key, *gotLists[i].values, *wantLists[i].values)
		}
		if !m.Capabilities.Has(wantLists[i].key) {
			t.Errorf("Has(%q) is false", wantLists[i].key)
		}
	}
	if !m.Capabilities.Uplink || !m.Capabilities.Has("allow_prompt_injection") || m.Capabilities.Has("anything") {
		t.Errorf("%+v", m.Capabilities)
	}
	if len(m.Warnings) != 1 || !strings.Contains(m.Warnings[0], "only the first component runs") {
		t.Errorf("warnings %v", m.Warnings)
	}
}

func TestManifestWarns(t *testing.T) {
	m := mustParse(t, "[package]\nname = \"a\"\nversion = \"1.0.0\"\n[[component]]\nfile = \"x.wasm\"\ntype = \"library\"\nlink = [\"y\"]\n"+
		"[env]\nk = { type = \"secret\", enum_values = [\"a\", \"b\"] }\n[capabilities]\nfs_read = [\"/tmp/x\", \"/usr\"]\n")
	for _, want := range []string{"Capsule.toml:6: component[0].type", "Capsule.toml:7: component[0].link", "enum_values", `:11: capabilities.fs_read[1]: "/usr" grants nothing`} {
		if !strings.Contains(strings.Join(m.Warnings, "\n"), want) {
			t.Errorf("no warning about %q: %v", want, m.Warnings)
		}
	}
	if len(m.Warnings) != 4 {
		t.Errorf("%d warnings", len(m.Warnings))
	}
}

func TestLoadManifest(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, ManifestName)
	if _, err := LoadManifest(path); !os.IsNotExist(unwrapAll(err)) {
		t.Errorf("absent: %v", err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadManifest(path); err == nil {
		t.Error("read a directory")
	}
	large := filepath.Join(dir, "large")
	if err := os.WriteFile(large, make([]byte, MaxManifestSize+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadManifest(large); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("large: %v", err)
	}
	if _, err := ParseManifest("x", make([]byte, MaxManifestSize+1)); err == nil {
		t.Error("parsed too much")
	}
}

func unwrapAll(err error) error {
	for {
		u, ok := err.(interface{ Unwrap() error })
		if !ok {
			return err
		}
		err = u.Unwrap()
	}
}

func FuzzParseManifest(f *testing.F) {
	paths, err := filepath.Glob("testdata/manifest/*.toml")
	if err != nil || len(paths) < 5 {
		f.Fatal(err, paths)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ParseManifest("Capsule.toml", data)
		if err != nil {
			if m != nil || err.Error() == "" {
				t.Fatalf("%v with %v", m, err)
			}
			return
		}
		// What was accepted is safe to use as a name, in paths and by the resolver.
		if ValidName(m.ID()) != nil {
			t.Fatalf("accepted the name %q", m.ID())
		}
		for _, c := range m.Components {
			if !filepath.IsLocal(c.File) {
				t.Fatalf("accepted the file %q", c.File)
			}
		}
		if _, err := m.Capabilities.ResolveNet(nil); err != nil {
			t.Fatalf("accepted a net list that does not resolve: %v", err)
		}
		if p := Resolve([]*Manifest{m}); len(p.Order)+len(p.Refused) != 1 {
			t.Fatalf("%+v", p)
		}
		if _, _, err := m.ResolveEnv(nil); err != nil {
			t.Fatal(err)
		}
	})
}
