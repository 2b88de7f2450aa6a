package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/sdktest"
)

const topic = "prompt_builder.v1.hook_response.r"

func contributed(t *testing.T, h *sdktest.Host) string {
	t.Helper()
	h.Forget()
	h.Call("on_before_prompt_build", map[string]string{"request_id": "r"})
	all := h.Published(topic)
	if len(all) == 0 {
		return ""
	}
	var c map[string]string
	if err := json.Unmarshal(all[0], &c); err != nil || len(all) != 1 {
		t.Fatal(all)
	}
	return c["appendSystemContext"]
}

func TestPrompt(t *testing.T) {
	h := sdktest.New(t)
	if got := contributed(t, h); got != "" {
		t.Errorf("of nothing: %q", got)
	}
	h.WriteFile(".astrid/memory.md", " \n")
	if got := contributed(t, h); got != "" {
		t.Errorf("of blanks: %q", got)
	}
	h.WriteFile(".astrid/memory.md", "use tabs\n")
	h.WriteFile("home://memory.md", "is called Ida")
	if got := contributed(t, h); got != "# Memory (personal)\n\n"+about+"is called Ida\n\n# Memory (project)\n\n"+about+"use tabs\n" {
		t.Errorf("%q", got)
	}
	h.Config["cwd_dir"] = ".other/"
	h.WriteFile(".other/memory.md", strings.Repeat("ä", maxMemory))
	got := contributed(t, h)
	if !strings.HasSuffix(got, "ä\n\n[Memory truncated]") || len(got) > maxMemory+2*len(about)+200 {
		t.Errorf("%d bytes, ends %q", len(got), got[len(got)-30:])
	}
	// One that cannot be read does not hide the other.
	h.Handle(abi.ReadFile, func(p []string) ([]byte, error) {
		if strings.HasPrefix(p[0], "home://") {
			return nil, abi.Errorf(abi.CodeDenied, "denied")
		}
		return []byte("still here"), nil
	})
	if got := contributed(t, h); got != "# Memory (project)\n\n"+about+"still here" {
		t.Errorf("%q", got)
	}
}

func TestRemember(t *testing.T) {
	h := sdktest.New(t)
	call := func(tool string, args map[string]any) abi.ToolCallResult { return h.CallTool(tool, args) }
	call("remember", map[string]any{"content": "likes\n tea"})
	call("remember", map[string]any{"content": "likes tea"})
	call("remember", map[string]any{"content": "is Ida", "scope": "personal"})
	if text, _ := h.ReadFile(".astrid/memory.md"); text != "- likes tea\n" {
		t.Errorf("%q", text)
	}
	if text, _ := h.ReadFile("home://memory.md"); text != "- is Ida\n" {
		t.Errorf("%q", text)
	}
	h.WriteFile(".astrid/memory.md", "# Mine") // no line end
	call("remember", map[string]any{"content": "new"})
	if text, _ := h.ReadFile(".astrid/memory.md"); text != "# Mine\n- new\n" {
		t.Errorf("%q", text)
	}
	for _, args := range []map[string]any{{"content": "  "}, {"content": strings.Repeat("x", maxLine+1)}, {"content": "x", "scope": "world"}, {}} {
		if r := call("remember", args); !r.IsError {
			t.Errorf("%v: %s", args, r.Content)
		}
	}
	h.WriteFile(".astrid/memory.md", strings.Repeat("y", maxFile))
	if r := call("remember", map[string]any{"content": "x"}); !r.IsError || !strings.Contains(r.Content, "forget") {
		t.Errorf("%s", r.Content)
	}
}

func TestForget(t *testing.T) {
	h := sdktest.New(t)
	h.WriteFile(".astrid/memory.md", "# Head\n- Tea\n- milk\n- more tea\n")
	if r := h.CallTool("forget", map[string]any{"text": "TEA"}); r.IsError || !strings.Contains(r.Content, "2 lines") {
		t.Errorf("%+v", r)
	}
	if text, _ := h.ReadFile(".astrid/memory.md"); text != "# Head\n- milk\n" {
		t.Errorf("%q", text)
	}
	for _, text := range []string{"", "nowhere"} {
		if r := h.CallTool("forget", map[string]any{"text": text}); !r.IsError {
			t.Errorf("%+v", r)
		}
	}
}
