package build

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/unicity-astrid/astrid-go/capsule"
)

// mcpNames are the files that describe MCP servers in projects without a Capsule.toml.
var mcpNames = []string{"mcp.json", "gemini-extension.json"}

// mcpProject is such a file.
type mcpProject struct {
	Name        string `json:"name"`
	Version     string `json:"version"`
	Description string `json:"description"`
	Servers     map[string]struct {
		Description string            `json:"description"`
		Command     string            `json:"command"`
		Args        []string          `json:"args"`
		Env         map[string]string `json:"env"`
		URL         string            `json:"url"`
		HTTPURL     string            `json:"httpUrl"`
	} `json:"mcpServers"`
	Settings []struct {
		Name        string `json:"name"`
		Description string `json:"description"`
		EnvVar      string `json:"envVar"`
	} `json:"settings"`
	ContextFile string `json:"contextFileName"`
}

// convert makes the manifest of an MCP project.
func convert(dir, file string) (*capsule.Manifest, []byte, error) {
	raw, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return nil, nil, err
	}
	var p mcpProject
	if err := json.Unmarshal(raw, &p); err != nil {
		return nil, nil, fmt.Errorf("%w: %s: %w", ErrProject, file, err)
	}
	if p.Name == "" {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return nil, nil, err
		}
		p.Name = filepath.Base(abs)
	}
	if err := capsule.ValidName(p.Name); err != nil {
		return nil, nil, fmt.Errorf("%w: %s: name: %w", ErrProject, file, err)
	}
	if p.Version == "" {
		p.Version = "1.0.0"
	}
	text, err := p.manifest(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %s: %w", ErrProject, file, err)
	}
	m, err := capsule.ParseManifest(capsule.ManifestName, []byte(text))
	if err != nil {
		return nil, nil, fmt.Errorf("%w: the Capsule.toml that %s makes is not right: %w", ErrProject, file, err)
	}
	return m, []byte(text), nil
}

// quote writes a TOML string: what Go escapes in text that it prints, TOML knows too.
func quote(s string) string {
	return strings.ReplaceAll(strconv.QuoteToASCII(strings.ToValidUTF8(s, "?")), `\x`, `\u00`)
}

// manifest writes a Capsule.toml with everything in a fixed order.
func (p *mcpProject) manifest(dir string) (string, error) {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("[package]\nname = %s\nversion = %s", quote(p.Name), quote(p.Version))
	if p.Description != "" {
		line("description = %s", quote(p.Description))
	}
	var commands, asked []string
	env := map[string]string{} // variable → question
	for _, id := range sorted(p.Servers) {
		s := p.Servers[id]
		switch {
		case s.Command == "" && (s.URL != "" || s.HTTPURL != ""):
			return "", fmt.Errorf("server %s is reached by an address: only servers that are started here are supported", id)
		case s.Command == "":
			return "", fmt.Errorf("server %s has no command", id)
		}
		commands = append(commands, s.Command)
		for name := range s.Env {
			env[name] = "Please provide a value for " + name
		}
	}
	if len(p.Servers) == 0 {
		return "", fmt.Errorf("it has no mcpServers")
	}
	for _, s := range p.Settings {
		if s.EnvVar != "" {
			env[s.EnvVar] = s.Name
			if s.Description != "" {
				env[s.EnvVar] = s.Description
			}
		}
	}
	slices.Sort(commands)
	commands = slices.Compact(commands)
	for i, c := range commands {
		commands[i] = quote(c)
	}
	line("\n[capabilities]\nhost_process = [%s]", strings.Join(commands, ", "))
	for _, name := range sorted(env) {
		asked = append(asked, fmt.Sprintf("%s = { type = \"secret\", request = %s }", quote(name), quote(env[name])))
	}
	if len(asked) > 0 {
		line("\n[env]\n%s", strings.Join(asked, "\n"))
	}
	for _, id := range sorted(p.Servers) {
		s := p.Servers[id]
		line("\n[[mcp_server]]\nid = %s\ntype = \"stdio\"\ncommand = %s", quote(id), quote(s.Command))
		if s.Description != "" {
			line("description = %s", quote(s.Description))
		}
		args := make([]string, len(s.Args))
		for i, a := range s.Args {
			args[i] = quote(a)
		}
		line("args = [%s]", strings.Join(args, ", "))
	}
	context := p.ContextFile
	if context == "" {
		context = "AGENTS.md"
	}
	if capsule.LocalPath(context) == nil && exists(filepath.Join(dir, context)) {
		line("\n[[context_file]]\nname = \"workspace-context\"\nfile = %s", quote(context))
	}
	skills, err := filepath.Glob(filepath.Join(escapeGlob(dir), "skills", "*.md"))
	if err != nil {
		return "", err
	}
	for _, s := range skills {
		name := strings.TrimSuffix(filepath.Base(s), ".md")
		line("\n[[skill]]\nname = %s\nfile = %s", quote(name), quote("skills/"+filepath.Base(s)))
	}
	return b.String(), nil
}

func sorted[T any](m map[string]T) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
