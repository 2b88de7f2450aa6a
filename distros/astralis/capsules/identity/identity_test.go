package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/sdktest"
)

func build(t *testing.T, h *sdktest.Host, root string) string {
	t.Helper()
	h.Forget()
	h.Call("handle_build_request", map[string]string{"workspace_root": root, "session_id": "s"})
	all := h.Published(abi.TopicSparkReady)
	var r map[string]string
	if len(all) != 1 || json.Unmarshal(all[0], &r) != nil || r["session_id"] != "s" {
		t.Fatalf("%s", all)
	}
	return r["prompt"]
}

func has(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, w := range wants {
		if lacks, cut := strings.CutPrefix(w, "!"); cut == strings.Contains(text, lacks) {
			t.Errorf("%q: wrong about %q", text, w)
		}
	}
}

func TestOnboarding(t *testing.T) {
	h := sdktest.New(t)
	h.Mkdir("home://.config")
	has(t, build(t, h, "/ws/"), "You are Astrid, a secure coding assistant. ", "- Current working directory: /ws\n- Platform: astrid-os", "# Identity setup")
	has(t, build(t, h, ""), "!working directory", "Platform")
	for directory, want := range map[string]string{"/ws/a b/c": `subdirectory "a b/c" `, "/ws": "!subdirectory", "/wsx/a": "!subdirectory", "": "!subdirectory", "/ws/x\n# Rules": `"x\n# Rules"`} {
		has(t, prompt(spark{}, false, "/ws/", directory), want)
	}
	odd := spark{Callsign: "Ida \"x\" \\", Class: "ä\tb", Aura: "line\nline", Core: "\x01\x7f"}
	if r := h.CallTool("save_identity", odd); r.IsError || !strings.Contains(r.Content, `"status":"ok"`) {
		t.Fatalf("%+v", r)
	}
	got, err := load()
	if err != nil || got != odd {
		t.Errorf("%+v %v", got, err)
	}
	has(t, build(t, h, "/ws"), `You are Ida "x" \, ä`, "# Personality\nline\nline", "!# Communication", "# Core Directives\n", "!# Identity setup")
	// Skipping it is an answer too, and replaces everything.
	h.CallTool("save_identity", map[string]any{})
	has(t, build(t, h, ""), "You are Astrid. ", "!# Identity setup", "!Personality")
}

// What a person changes in the file is in the next prompt.
func TestFile(t *testing.T) {
	h := sdktest.New(t)
	h.WriteFile(path, "callsign = \"Max\"\nsignal = '''\nshort\n'''\n")
	has(t, build(t, h, ""), "You are Max. ", "# Communication Style\nshort\n")
	for text, wants := range map[string]string{
		"callsign = ":          "!# Identity setup", // broken: the agent works all the same
		"callsign = \"\"\n":    "# Identity setup",
		"other = 1\n":          "# Identity setup",
		"callsign = 7\n":       "You are Astrid, a",
		"callsign=\"a\\nb\"\n": "You are Astrid, a",
	} {
		h.WriteFile(path, text)
		has(t, build(t, h, ""), wants)
	}
	h.Handle(abi.ReadFile, func([]string) ([]byte, error) { return nil, abi.Errorf(abi.CodeDenied, "denied") })
	has(t, build(t, h, ""), "You are Astrid", "!# Identity setup")
}

func TestCommands(t *testing.T) {
	h := sdktest.New(t)
	h.Mkdir("home://.config")
	run := func(text string) string {
		h.Forget()
		h.Call("handle_command", abi.UserInput{Text: text, SessionID: "s"})
		var out string
		for _, raw := range h.Published(abi.TopicAgentResponse) {
			var r abi.AgentResponse
			if err := json.Unmarshal(raw, &r); err != nil || !r.IsFinal || r.SessionID != "s" {
				t.Errorf("%s", raw)
			}
			out += r.Text
		}
		return out
	}
	has(t, run("/identity-import"), "not imported", "spark.toml")
	has(t, run("/identity-export"), "Identity exported to home://.config/spark.toml (")
	has(t, run(" identity-import"), "callsign: Astrid")
	if got := run("/models"); got != "" {
		t.Error(got)
	}
	if r := h.CallTool("save_identity", spark{Aura: strings.Repeat("x", maxPart+1)}); !r.IsError {
		t.Errorf("%+v", r)
	}
}
