package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/sdktest"
)

func contributed(t *testing.T, h *sdktest.Host) string {
	t.Helper()
	h.Forget()
	h.Call("on_before_prompt_build", map[string]string{"request_id": "r"})
	all := h.Published("prompt_builder.v1.hook_response.r")
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
	const head = "# Instructions of the project "
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"nothing", nil, ""},
		{"blank", map[string]string{"AGENTS.md": "\n"}, ""},
		{"root", map[string]string{"AGENTS.md": "be kind"}, head + "(AGENTS.md)\n\nbe kind"},
		{"own", map[string]string{".astrid/ASTRID.md": "be quick"}, head + "(.astrid/ASTRID.md)\n\nbe quick"},
		{"the first of two", map[string]string{".astrid/AGENTS.md": "a", ".astrid/ASTRID.md": "b"}, head + "(.astrid/AGENTS.md)\n\na"},
		{"both places", map[string]string{"AGENTS.md": "a", ".astrid/AGENTS.md": "b"}, head + "(AGENTS.md)\n\na\n\n" + head + "(.astrid/AGENTS.md)\n\nb"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := sdktest.New(t)
			for name, text := range c.files {
				h.WriteFile(name, text)
			}
			if got := contributed(t, h); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestLongAndUnreadable(t *testing.T) {
	h := sdktest.New(t)
	h.WriteFile("AGENTS.md", strings.Repeat("ä", maxText)+"\xff")
	if got := contributed(t, h); !strings.HasSuffix(got, "ä\n\n[cut: the rest is in AGENTS.md]") || len(got) > maxText+200 {
		t.Errorf("%d bytes", len(got))
	}
	h.Config["cwd_dir"] = ".x"
	h.Handle(abi.ReadFile, func(p []string) ([]byte, error) {
		if p[0] == "cwd://AGENTS.md" {
			return nil, abi.Errorf(abi.CodeDenied, "denied")
		}
		return []byte("of " + p[0]), nil
	})
	if got := contributed(t, h); got != "# Instructions of the project (.x/AGENTS.md)\n\nof cwd://.x/AGENTS.md" {
		t.Errorf("%q", got)
	}
}
