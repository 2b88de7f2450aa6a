package capsule

// Capabilities is the outer bound of a capsule: what is not listed is refused, whatever the user or a policy
// says. An empty list denies the whole kind.
type Capabilities struct {
	// Uplink marks a frontend: loads first, runs without a time limit, may not have imports.
	Uplink bool `toml:"uplink" json:"uplink,omitempty"`
	// Net lists hosts for outgoing requests; see ResolveNet.
	Net []string `toml:"net" json:"net,omitempty"`
	// KV is accepted for older manifests. Storage is always confined to the capsule's own namespace.
	KV []string `toml:"kv" json:"kv,omitempty"`
	// FSRead and FSWrite list "*" (the workspace), "cwd://sub", "home://sub" or "/tmp/sub".
	FSRead  []string `toml:"fs_read" json:"fs_read,omitempty"`
	FSWrite []string `toml:"fs_write" json:"fs_write,omitempty"`
	// HostProcess lists programs, optionally with leading arguments ("git status"); see ResolveProcess.
	HostProcess []string `toml:"host_process" json:"host_process,omitempty"`
	// NetBind lists sockets that the capsule may accept on; any entry grants the kernel's client socket.
	NetBind []string `toml:"net_bind" json:"net_bind,omitempty"`
	// IPCPublish and IPCSubscribe list topic patterns in which * is exactly one segment.
	IPCPublish   []string `toml:"ipc_publish" json:"ipc_publish,omitempty"`
	IPCSubscribe []string `toml:"ipc_subscribe" json:"ipc_subscribe,omitempty"`
	// Identity lists "resolve", "link" or "admin", each including those before it.
	Identity []string `toml:"identity" json:"identity,omitempty"`
	// AllowPromptInjection lets replies of the capsule change the system prompt.
	AllowPromptInjection bool `toml:"allow_prompt_injection" json:"allow_prompt_injection,omitempty"`
	// AnySession lets the capsule publish into the session that a payload's session_id names, when it
	// runs outside of one: on a timer or at start. Frontends may do so without.
	AnySession bool `toml:"any_session" json:"any_session,omitempty"`
}

// lists names every list, so that merging, checking and showing cannot forget one.
func (c *Capabilities) lists() []capabilityList {
	return []capabilityList{
		{"net", &c.Net}, {"kv", &c.KV}, {"fs_read", &c.FSRead}, {"fs_write", &c.FSWrite},
		{"host_process", &c.HostProcess}, {"net_bind", &c.NetBind}, {"ipc_publish", &c.IPCPublish},
		{"ipc_subscribe", &c.IPCSubscribe}, {"identity", &c.Identity},
	}
}

type capabilityList struct {
	key    string
	values *[]string
}

// merge adds everything that o grants, without repeating entries.
func (c *Capabilities) merge(o Capabilities) {
	c.Uplink = c.Uplink || o.Uplink
	c.AllowPromptInjection = c.AllowPromptInjection || o.AllowPromptInjection
	c.AnySession = c.AnySession || o.AnySession
	from := o.lists()
	for i, to := range c.lists() {
		*to.values = appendNew(*to.values, *from[i].values)
	}
}

func appendNew(list, more []string) []string {
	seen := make(map[string]bool, len(list))
	out := make([]string, 0, len(list)+len(more))
	for _, s := range append(append([]string(nil), list...), more...) {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

// Has answers the capability query of other capsules.
func (c *Capabilities) Has(name string) bool {
	switch name {
	case "allow_prompt_injection":
		return c.AllowPromptInjection
	case "any_session":
		return c.AnySession
	case "uplink":
		return c.Uplink
	}
	for _, l := range c.lists() {
		if l.key == name {
			return len(*l.values) > 0
		}
	}
	return false
}
