package capsule

import (
	"fmt"
	"path"
	"strings"
	"unicode"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/capsule/stricttoml"
	"github.com/unicity-astrid/astrid-go/ipc"
)

// ReservedEnv is set by the host; a capsule cannot declare it.
const ReservedEnv = "ASTRID_SOCKET_PATH"

func (c *checker) env() {
	for _, key := range sortedKeys(c.m.Env) {
		field, at := c.m.Env[key], stricttoml.Join("env", key)
		switch {
		case strings.TrimSpace(key) == "" || len(key) > 128:
			c.fail(at, "an [env] key must have 1 to 128 characters")
		case key == ReservedEnv:
			c.fail(at, "%s is set by the host and cannot be declared", ReservedEnv)
		case field.Type == "":
			c.fail(at+".type", "want \"string\", \"secret\" or \"array\"")
		}
		if field.Type == "secret" && len(field.EnumValues) > 0 {
			c.warn(at+".enum_values", "a secret is never offered as a choice")
		}
		if text, ok := field.Default.(string); ok && field.Kind() == EnvEnum && !contains(field.EnumValues, text) {
			c.fail(at+".default", "%q is not one of enum_values", text)
		}
	}
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}

func (c *checker) files() {
	for i, f := range c.m.ContextFiles {
		c.local(stricttoml.Elem("context_file", i)+".file", f.File)
	}
	for i, s := range c.m.Skills {
		c.local(stricttoml.Elem("skill", i)+".file", s.File)
	}
	seen := map[string]bool{}
	for i, cmd := range c.m.Commands {
		key := stricttoml.Elem("command", i)
		if cmd.File != "" {
			c.local(key+".file", cmd.File)
		}
		if strings.Trim(cmd.Name, "/ ") == "" || strings.ContainsAny(cmd.Name, " \t\r\n") {
			c.fail(key+".name", "%q is not a command name", cmd.Name)
		}
		if seen[cmd.Name] {
			c.fail(key+".name", "command %q is declared twice", cmd.Name)
		}
		seen[cmd.Name] = true
	}
}

func (c *checker) servers() {
	seen := map[string]bool{}
	for i, s := range c.m.MCPServers {
		key := stricttoml.Elem("mcp_server", i)
		if !validServerID(s.ID) {
			c.fail(key+".id", "%q must be 1 to 64 of A-Z a-z 0-9 _ . : - and not begin with a dot", s.ID)
		}
		if seen[s.ID] {
			c.fail(key+".id", "server %q is declared twice", s.ID)
		}
		seen[s.ID] = true
		switch {
		case s.Type == "":
			c.fail(key, "missing required key \"type\": only \"stdio\" is supported")
		case s.Type != "stdio":
			c.fail(key+".type", "type %q is not supported: only \"stdio\" is", s.Type)
		case s.Command == "":
			c.fail(key, "a stdio server needs a command")
		case !c.granted(s.Command):
			c.fail(key+".command", "%q is not in capabilities.host_process, so it could never start", s.Command)
		}
	}
}

// granted reports whether a server's command falls under host_process.
func (c *checker) granted(command string) bool {
	for _, entry := range c.m.Capabilities.HostProcess {
		if command == entry || strings.HasPrefix(command, entry+" ") {
			return true
		}
	}
	return false
}

func validServerID(id string) bool {
	for _, r := range id {
		if !strings.ContainsRune("_.:-", r) && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') {
			return false
		}
	}
	return id != "" && len(id) <= 64 && id[0] != '.'
}

var uplinkProfiles = []string{"chat", "interactive", "notify", "bridge"}

func (c *checker) uplinks() {
	seen := map[string]bool{}
	for i, u := range c.m.Uplinks {
		key := stricttoml.Elem("uplink", i)
		if u.Name == "" || len(u.Name) > abi.MaxUplinkID {
			c.fail(key+".name", "want 1 to %d bytes", abi.MaxUplinkID)
		}
		if u.Platform == "" || len(u.Platform) > abi.MaxUplinkID {
			c.fail(key+".platform", "want 1 to %d bytes", abi.MaxUplinkID)
		}
		if !contains(uplinkProfiles, u.Profile) {
			c.fail(key+".profile", "%q is not one of %s", u.Profile, strings.Join(uplinkProfiles, ", "))
		}
		if id := u.Platform + "\x00" + u.Name; seen[id] {
			c.fail(key, "uplink %q on %q is declared twice", u.Name, u.Platform)
		} else {
			seen[id] = true
		}
	}
	if len(c.m.Uplinks) > abi.MaxUplinks {
		c.fail("uplink", "more than %d uplinks", abi.MaxUplinks)
	}
}

func (c *checker) interceptors() {
	for i, in := range c.m.Interceptors {
		key := stricttoml.Elem("interceptor", i)
		if err := checkPattern(in.Event); err != nil {
			c.fail(key+".event", "%v", err)
		}
		if strings.TrimSpace(in.Action) == "" || len(in.Action) > 256 {
			c.fail(key+".action", "want the name of a handler, 1 to 256 bytes")
		}
	}
}

// checkPattern applies the rules of the bus, and two more for what people write: a "*" that is only part of
// a segment would match nothing but itself, and so would a space.
func checkPattern(pattern string) error {
	if err := ipc.ValidPattern(pattern); err != nil {
		return err
	}
	if strings.ContainsFunc(pattern, unicode.IsSpace) {
		return fmt.Errorf("topic pattern %q has a space", pattern)
	}
	for _, segment := range strings.Split(pattern, ".") {
		if segment != "*" && strings.Contains(segment, "*") {
			return fmt.Errorf("topic pattern %q: \"*\" must be a whole segment", pattern)
		}
	}
	return nil
}

func (c *checker) topics() {
	seen := map[string]bool{}
	for i, t := range c.m.Topics {
		key := stricttoml.Elem("topic", i)
		c.topicName(key+".name", t.Name)
		if t.Direction != "publish" && t.Direction != "subscribe" {
			c.fail(key+".direction", "want \"publish\" or \"subscribe\", found %q", t.Direction)
		}
		if id := t.Direction + " " + t.Name; seen[id] {
			c.fail(key+".name", "topic %q is declared twice for %s", t.Name, t.Direction)
		} else {
			seen[id] = true
		}
		if t.Schema != "" && c.local(key+".schema", t.Schema) && path.Clean(t.Schema) == ManifestName {
			c.fail(key+".schema", "%q is not a schema", t.Schema)
		}
	}
}

func (c *checker) topicName(key, name string) {
	if strings.Contains(name, "*") {
		c.fail(key, "topic %q: a declared topic has no wildcards", name)
		return
	}
	if err := checkPattern(name); err != nil {
		c.fail(key, "%v", err)
		return
	}
	for _, r := range name {
		if r != '-' && r != '_' && r != '.' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') {
			c.fail(key, "topic %q may only have A-Z a-z 0-9 - _ and .", name)
			return
		}
	}
}
