package capsule

// Interface is a named contract in a namespace, such as astrid/llm.
type Interface struct{ Namespace, Name string }

func (i Interface) String() string { return i.Namespace + "/" + i.Name }

func (i Interface) less(o Interface) bool {
	if i.Namespace != o.Namespace {
		return i.Namespace < o.Namespace
	}
	return i.Name < o.Name
}

// Import is one needed interface. An optional one only orders loading.
type Import struct {
	Interface   Interface
	Requirement Requirement
	Optional    bool
}

// Export is one provided interface with its exact version.
type Export struct {
	Interface Interface
	Version   Version
}

// Satisfies reports whether this export fulfils the import.
func (e Export) Satisfies(i Import) bool {
	return e.Interface == i.Interface && i.Requirement.Matches(e.Version)
}

// ContextFile names a file of standing instructions inside the capsule.
type ContextFile struct {
	Name string `toml:"name,required"`
	File string `toml:"file,required"`
}

// Command is a slash command that clients show.
type Command struct {
	Name        string `toml:"name,required"`
	Description string `toml:"description"`
	File        string `toml:"file"`
}

// MCPServer is a Model Context Protocol server that runs as a sandboxed child process.
type MCPServer struct {
	ID          string   `toml:"id,required"` // 1 to 64 of A-Z a-z 0-9 _ . : -, no leading dot
	Description string   `toml:"description"`
	Type        string   `toml:"type"` // always "stdio"
	Command     string   `toml:"command"`
	Args        []string `toml:"args"`
}

// Skill is a file of instructions that an agent can load on demand.
type Skill struct {
	Name        string `toml:"name,required"`
	Description string `toml:"description"`
	File        string `toml:"file,required"`
}

// Uplink is a frontend that the capsule connects. Profile is chat, interactive, notify or bridge.
type Uplink struct {
	Name     string `toml:"name,required"`
	Platform string `toml:"platform,required"`
	Profile  string `toml:"profile,required"`
}

// Priorities of interceptors: lower runs first, and those below GuardPriority finish before anyone else sees
// the message.
const (
	DefaultPriority = 100
	GuardPriority   = 100
)

// Interceptor binds a topic pattern to a named handler of the guest.
type Interceptor struct {
	Event    string // topic pattern, matched with equal segment counts
	Action   string
	Priority uint32 // default DefaultPriority
}

// Guard reports whether the handler runs before delivery and may stop the message.
func (i Interceptor) Guard() bool { return i.Priority < GuardPriority }

// TopicDecl documents one topic. Direction is "publish" or "subscribe".
type TopicDecl struct {
	Name        string `toml:"name,required"`
	Direction   string `toml:"direction,required"`
	Description string `toml:"description"`
	Schema      string `toml:"schema"` // JSON Schema file inside the capsule
}
