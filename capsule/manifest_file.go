package capsule

import (
	"sort"

	"github.com/unicity-astrid/astrid-go/capsule/stricttoml"
)

// manifestFile is Capsule.toml as written: singular table names, component capabilities apart.
type manifestFile struct {
	Package      Package                          `toml:"package,required"`
	Component    []componentFile                  `toml:"component"`
	Imports      map[string]map[string]importFile `toml:"imports"`
	Exports      map[string]map[string]exportFile `toml:"exports"`
	Capabilities Capabilities                     `toml:"capabilities"`
	Env          map[string]EnvField              `toml:"env"`
	ContextFile  []ContextFile                    `toml:"context_file"`
	Command      []Command                        `toml:"command"`
	MCPServer    []MCPServer                      `toml:"mcp_server"`
	Skill        []Skill                          `toml:"skill"`
	Uplink       []Uplink                         `toml:"uplink"`
	Interceptor  []interceptorFile                `toml:"interceptor"`
	Topic        []TopicDecl                      `toml:"topic"`
}

type componentFile struct {
	ID           string        `toml:"id"`
	File         string        `toml:"file"`
	Entrypoint   string        `toml:"entrypoint"` // older name of file
	Hash         string        `toml:"hash"`
	Type         string        `toml:"type"`
	Link         []string      `toml:"link"`
	Instances    *int          `toml:"instances"`
	OrderBy      string        `toml:"order_by"`
	Capabilities *Capabilities `toml:"capabilities"`
}

type interceptorFile struct {
	Event    string  `toml:"event,required"`
	Action   string  `toml:"action,required"`
	Priority *uint32 `toml:"priority"`
}

// importFile is a requirement, or a table with one.
type importFile struct {
	Version  Requirement
	Optional bool
}

func (i *importFile) UnmarshalTOML(n stricttoml.Node) error {
	if text, ok := n.Text(); ok {
		return i.Version.UnmarshalText([]byte(text))
	}
	var table struct {
		Version  Requirement `toml:"version,required"`
		Optional bool        `toml:"optional"`
	}
	n.Decode(&table)
	i.Version, i.Optional = table.Version, table.Optional
	return nil
}

// exportFile is a version, or a table with one.
type exportFile struct{ Version Version }

func (e *exportFile) UnmarshalTOML(n stricttoml.Node) error {
	if text, ok := n.Text(); ok {
		return e.Version.UnmarshalText([]byte(text))
	}
	var table struct {
		Version Version `toml:"version,required"`
	}
	n.Decode(&table)
	e.Version = table.Version
	return nil
}

// retiredKeys explains keys of older and foreign manifests that would otherwise just be unknown.
var retiredKeys = map[string]string{
	"dependencies":              "[dependencies] provides/requires is retired: declare [exports.<namespace>] and [imports.<namespace>] instead",
	"tool":                      "[[tool]] is retired: answer the topic tool.v1.request.describe from an [[interceptor]] instead",
	"cron":                      "[[cron]] is retired: there is no scheduler; use a component with a run export",
	"llm_provider":              "[[llm_provider]] is retired: export the interface astrid/llm in [exports.astrid] instead",
	"cargo":                     "[cargo] does not belong in Capsule.toml",
	"package.requires":          "package.requires is retired: declare [imports.<namespace>] instead",
	"package.provides":          "package.provides is retired: declare [exports.<namespace>] instead",
	"env.*.enum":                "the key is called enum_values",
	"mcp_server.url":            "only stdio MCP servers are supported: give type = \"stdio\" and a command",
	"mcp_server.env":            "declare the variables in [env]: every declared one is given to the server",
	"mcp_server.cwd":            "an MCP server always starts in the capsule's directory",
	"capabilities.host_command": "the key is called host_process",
}

func (f *manifestFile) manifest() *Manifest {
	m := &Manifest{
		Package: f.Package, Capabilities: f.Capabilities, Env: f.Env, ContextFiles: f.ContextFile,
		Commands: f.Command, MCPServers: f.MCPServer, Skills: f.Skill, Uplinks: f.Uplink, Topics: f.Topic,
	}
	for _, c := range f.Component {
		component := Component{ID: c.ID, File: c.File, Hash: c.Hash, Type: c.Type, Instances: 1, OrderBy: c.OrderBy}
		if c.File == "" {
			component.File = c.Entrypoint
		}
		if c.Instances != nil {
			component.Instances = *c.Instances
		}
		if c.Capabilities != nil {
			m.Capabilities.merge(*c.Capabilities)
		}
		m.Components = append(m.Components, component)
	}
	for ns, ifaces := range f.Imports {
		for name, i := range ifaces {
			m.Imports = append(m.Imports, Import{Interface{ns, name}, i.Version, i.Optional})
		}
	}
	for ns, ifaces := range f.Exports {
		for name, e := range ifaces {
			m.Exports = append(m.Exports, Export{Interface{ns, name}, e.Version})
		}
	}
	sort.Slice(m.Imports, func(i, j int) bool { return m.Imports[i].Interface.less(m.Imports[j].Interface) })
	sort.Slice(m.Exports, func(i, j int) bool { return m.Exports[i].Interface.less(m.Exports[j].Interface) })
	for _, i := range f.Interceptor {
		priority := uint32(DefaultPriority)
		if i.Priority != nil {
			priority = *i.Priority
		}
		m.Interceptors = append(m.Interceptors, Interceptor{i.Event, i.Action, priority})
	}
	return m
}
