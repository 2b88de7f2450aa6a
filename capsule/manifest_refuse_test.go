package capsule

import (
	"strings"
	"testing"
)

// Each change to a good manifest is refused with the line it is on.
func TestManifestRefuses(t *testing.T) {
	const good = `[package]
name = "demo"
version = "1.0.0"
#package
[[component]]
file = "x.wasm"
#component
[capabilities]
#capabilities
[env]
url = { type = "string" }
key = { type = "secret" }
#env
`
	mustParse(t, good)
	at := func(mark, more string) [2]string { return [2]string{"#" + mark + "\n", more + "\n"} }
	tests := []struct {
		name   string
		change [2]string
		want   string
	}{
		{"no package", [2]string{"[package]\nname = \"demo\"\nversion = \"1.0.0\"\n", ""}, `missing required key "package"`},
		{"no name", [2]string{`name = "demo"`, ""}, `:1: package: missing required key "name"`},
		{"empty name", [2]string{"demo", ""}, ":2: package.name"},
		{"name with path", [2]string{"demo", "../x"}, ":2: package.name"},
		{"name under an escaped key", [2]string{`name = "demo"`, `"\u006eame" = "../x"`}, "package.name"},
		{"name under another escape", [2]string{`name = "demo"`, `"\x6eame" = "../x"`}, "package"},
		{"absolute name", [2]string{"demo", "/etc"}, "package.name"},
		{"upper case", [2]string{"demo", "Demo"}, "package.name"},
		{"underscore", [2]string{"demo", "my_demo"}, "package.name"},
		{"leading hyphen", [2]string{"demo", "-demo"}, "hyphen"},
		{"trailing hyphen", [2]string{"demo", "demo-"}, "hyphen"},
		{"long name", [2]string{"demo", strings.Repeat("x", 65)}, "longer than 64"},
		{"no version", [2]string{`version = "1.0.0"`, ""}, `missing required key "version"`},
		{"partial version", [2]string{"1.0.0", "1.0"}, ":3: package.version: invalid version"},
		{"word as version", [2]string{"1.0.0", "latest"}, "package.version"},
		{"leading v", [2]string{"1.0.0", "v1.0.0"}, "package.version"},
		{"number as version", [2]string{`"1.0.0"`, "1"}, "want a string, found an integer"},
		{"runtime requirement", at("package", `astrid-version = ">=a"`), ":4: package.astrid-version"},
		{"runtime too old", at("package", `astrid-version = ">=0.6"`), "needs Astrid >=0.6, this is 0.5.0"},
		{"misspelt key", at("package", `descripton = "x"`), `:4: package.descripton: unknown key; did you mean "description"?`},
		{"key in other case", at("package", `License = "x"`), `did you mean "license"?`},
		{"underscore for hyphen", at("package", `license_file = "x"`), `did you mean "license-file"?`},
		{"license outside", at("package", `license-file = "../x"`), ":4: package.license-file"},
		{"list of numbers", at("package", `authors = [1]`), "package.authors[0]"},
		{"include outside", at("package", `include = ["../**"]`), "package.include[0]"},
		{"retired dependencies", at("env", "[dependencies]\nrequires = []"), ":13: dependencies: [dependencies] provides/requires is retired"},
		{"retired tool", at("env", "[[tool]]\nname = \"x\""), "[[tool]] is retired"},
		{"retired cron", at("env", "[[cron]]\nname = \"x\""), "[[cron]] is retired"},
		{"retired provider", at("env", "[[llm_provider]]\nid = \"x\""), "export the interface astrid/llm"},
		{"unknown table", at("env", "[[interceptors]]\nevent = \"a.b\""), `:13: interceptors: unknown key; did you mean "interceptor"?`},
		{"single table", [2]string{"[[component]]", "[component]"}, ":5: component: want an array of tables: write [[component]]"},
		{"component without file", [2]string{`file = "x.wasm"`, ""}, `component[0]: missing required key "file"`},
		{"both names", at("component", `entrypoint = "y.wasm"`), ":7: component[0].entrypoint"},
		{"file outside", [2]string{"x.wasm", "../x.wasm"}, ":6: component[0].file"},
		{"file absolute", [2]string{"x.wasm", "/usr/lib/x.wasm"}, "must be relative"},
		{"file on a drive", [2]string{"x.wasm", "c:x.wasm"}, "not allowed"},
		{"file is the manifest", [2]string{"x.wasm", "capsule.toml"}, "file of the store"},
		{"file is the record", [2]string{"x.wasm", "./meta.json"}, "file of the store"},
		{"no instances", at("component", "instances = 0"), "want 1 to 64, found 0"},
		{"too many instances", at("component", "instances = 65"), "want 1 to 64, found 65"},
		{"negative instances", at("component", "instances = -1"), "component[0].instances"},
		{"blank order", at("component", `order_by = " "`), "component[0].order_by"},
		{"component type", at("component", `type = "exe"`), "component[0].type"},
		{"flat import", at("env", "[imports]\nllm = \"^1\""), "imports.llm: want a table"},
		{"import requirement", at("env", "[imports.astrid]\nllm = \"1 2\""), "separate comparators with a comma"},
		{"import without version", at("env", "[imports.astrid]\nllm = { optional = true }"), `missing required key "version"`},
		{"import key", at("env", "[imports.astrid]\nllm = { version = \"1\", optinal = true }"), `did you mean "optional"?`},
		{"import name", at("env", "[imports.astrid]\nLLM = \"1\""), ":14: imports.astrid.LLM"},
		{"namespace", at("env", "[imports.as_trid]\nllm = \"1\""), "imports.as_trid.llm"},
		{"export requirement", at("env", "[exports.astrid]\nllm = \"^1\""), "exports.astrid.llm: invalid version"},
		{"uplink with imports", [2]string{"#capabilities\n", "uplink = true\n[imports.astrid]\nllm = \"1\"\n"}, "may not have imports"},
		{"misspelt capability", at("capabilities", `fs_reed = ["cwd://"]`), `did you mean "fs_read"?`},
		{"misspelt capability of a component", at("component", `capabilities = { nte = ["*"] }`), `component[0].capabilities.nte: unknown key; did you mean "net"?`},
		{"capability as text", at("capabilities", `net = "api.example.org"`), ":9: capabilities.net: want an array of strings"},
		{"bad capability of a component", at("component", `capabilities = { identity = ["root"] }`), "component[0].capabilities.identity[0]"},
		{"relative path", at("capabilities", `fs_read = ["cwd://", "src"]`), ":9: capabilities.fs_read[1]: path \"src\" never matches"},
		{"absolute in the workspace", at("capabilities", `fs_read = ["cwd:///etc"]`), "followed by a relative path"},
		{"out of the workspace", at("capabilities", `fs_write = ["cwd://a/../../b"]`), "leaves its root"},
		{"out of the home", at("capabilities", `fs_write = ["home://.."]`), "leaves its root"},
		{"retired scheme", at("capabilities", `fs_read = ["workspace://"]`), "workspace:// is retired"},
		{"empty path", at("capabilities", `fs_read = [""]`), "an entry is empty"},
		{"unclean path", at("capabilities", `fs_read = ["/a/../etc"]`), "not clean"},
		{"empty program", at("capabilities", `host_process = [" "]`), "an entry is empty"},
		{"spaces in program", at("capabilities", `host_process = ["git  status"]`), "single spaces"},
		{"empty bind", at("capabilities", `net_bind = [""]`), "an entry is empty"},
		{"identity level", at("capabilities", `identity = ["root"]`), `"root" is not one of resolve, link, admin`},
		{"topic with a gap", at("capabilities", `ipc_publish = ["a..b"]`), "empty segment"},
		{"half wildcard", at("capabilities", `ipc_subscribe = ["a.b*"]`), "whole segment"},
		{"topic with a space", at("capabilities", `ipc_subscribe = ["a. b"]`), "has a space"},
		{"long topic", at("capabilities", `ipc_publish = ["a.b.c.d.e.f.g.h.i"]`), "capabilities.ipc_publish[0]"},
		{"net scheme", at("capabilities", `net = ["https://example.org"]`), "without a scheme"},
		{"net template", at("capabilities", `net = ["{{ ulr }}"]`), `did you mean "url"?`},
		{"net template in text", at("capabilities", `net = ["{{ url }}:80"]`), "must be the whole entry"},
		{"net template of a secret", at("capabilities", `net = ["{{ key }}"]`), "must be shown"},
		{"env without type", at("env", `x = { default = "1" }`), `env.x: missing required key "type"`},
		{"env key", at("env", `x = { type = "string", enum = ["a"] }`), "the key is called enum_values"},
		{"env reserved", at("env", `ASTRID_SOCKET_PATH = { type = "string" }`), "set by the host"},
		{"env default", at("env", `x = { type = "string", enum_values = ["a", "b"], default = "c" }`), "not one of enum_values"},
		{"env type empty", at("env", `x = { type = "" }`), "env.x.type"},
		{"env not a table", at("env", `x = "y"`), "env.x: want a table"},
		{"context outside", at("env", "[[context_file]]\nname = \"x\"\nfile = \"/etc/passwd\""), ":15: context_file[0].file"},
		{"skill outside", at("env", "[[skill]]\nname = \"x\"\nfile = \"a/../../b\""), "skill[0].file"},
		{"skill without file", at("env", "[[skill]]\nname = \"x\""), `missing required key "file"`},
		{"command twice", at("env", "[[command]]\nname = \"/x\"\n[[command]]\nname = \"/x\""), ":16: command[1].name"},
		{"command name", at("env", "[[command]]\nname = \"/\""), "not a command name"},
		{"command file", at("env", "[[command]]\nname = \"/x\"\nfile = \"..\""), "command[0].file"},
		{"server type", at("env", "[[mcp_server]]\nid = \"x\"\ntype = \"sse\""), `only "stdio" is`},
		{"server url", at("env", "[[mcp_server]]\nid = \"x\"\nurl = \"http://x\""), "only stdio MCP servers"},
		{"server without type", at("env", "[[mcp_server]]\nid = \"x\"\ncommand = \"node\""), `missing required key "type"`},
		{"server without command", at("env", "[[mcp_server]]\nid = \"x\"\ntype = \"stdio\""), "needs a command"},
		{"server without grant", at("env", "[[mcp_server]]\nid = \"x\"\ntype = \"stdio\"\ncommand = \"node\""), "could never start"},
		{"server id", at("env", "[[mcp_server]]\nid = \".x\"\ntype = \"stdio\"\ncommand = \"node\""), "mcp_server[0].id"},
		{"uplink profile", at("env", "[[uplink]]\nname = \"x\"\nplatform = \"x\"\nprofile = \"human\""), "uplink[0].profile"},
		{"uplink twice", at("env", "[[uplink]]\nname = \"x\"\nplatform = \"x\"\nprofile = \"chat\"\n[[uplink]]\nname = \"x\"\nplatform = \"x\"\nprofile = \"chat\""), "uplink[1]"},
		{"interceptor event", at("env", "[[interceptor]]\nevent = \"a.\"\naction = \"x\""), ":14: interceptor[0].event"},
		{"interceptor action", at("env", "[[interceptor]]\nevent = \"a.b\"\naction = \"\""), "interceptor[0].action"},
		{"interceptor priority", at("env", "[[interceptor]]\nevent = \"a.b\"\naction = \"x\"\npriority = -1"), ":16: interceptor[0].priority"},
		{"topic wildcard", at("env", "[[topic]]\nname = \"a.*\"\ndirection = \"publish\""), "no wildcards"},
		{"topic letters", at("env", "[[topic]]\nname = \"a.ü\"\ndirection = \"publish\""), "topic[0].name"},
		{"topic direction", at("env", "[[topic]]\nname = \"a.b\"\ndirection = \"Publish\""), "topic[0].direction"},
		{"topic twice", at("env", "[[topic]]\nname = \"a.b\"\ndirection = \"publish\"\n[[topic]]\nname = \"a.b\"\ndirection = \"publish\""), "declared twice"},
		{"schema outside", at("env", "[[topic]]\nname = \"a.b\"\ndirection = \"publish\"\nschema = \"../s.json\""), "topic[0].schema"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.Replace(good, tt.change[0], tt.change[1], 1)
			if text == good {
				t.Fatal("nothing was replaced")
			}
			m, err := ParseManifest("Capsule.toml", []byte(text))
			if err == nil || m != nil {
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "Capsule.toml") {
				t.Errorf("error %q, want it to mention %q", err, tt.want)
			}
		})
	}
}

// The same topic may be declared in both directions, and what looks odd but is harmless is accepted.
func TestManifestAccepts(t *testing.T) {
	for name, more := range map[string]string{
		"topic in both directions": "[[topic]]\nname = \"a.b\"\ndirection = \"publish\"\n[[topic]]\nname = \"a.b\"\ndirection = \"subscribe\"\n",
		"inline array of tables":   "skill = []\n",
		"wildcards":                "[capabilities]\nipc_subscribe = [\"*\", \"a.*.b\"]\nfs_read = [\"*\", \"/\", \"/usr/share/\"]\nnet = [\"*\"]\n",
		"command with arguments":   "[capabilities]\nhost_process = [\"npx\"]\n[[mcp_server]]\nid = \"a:b.c-d\"\ntype = \"stdio\"\ncommand = \"npx server\"\n",
		"number as default":        "[env]\nn = { type = \"integer\", default = 3 }\n",
		"required runtime":         "",
	} {
		text := "[package]\nname = \"a\"\nversion = \"1.0.0-rc.1+build\"\nastrid-version = \">=0.5, <1\"\n"
		if name == "inline array of tables" {
			text = more + text
		} else {
			text += more
		}
		if _, err := ParseManifest("Capsule.toml", []byte(text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
