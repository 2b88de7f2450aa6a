package capsule

import (
	"fmt"

	"github.com/unicity-astrid/astrid-go/abi/host"
)

// Bounds compiles what the manifest declares. env are the settings that its network rules refer to.
func (m *Manifest) Bounds(env map[string]string) (*host.Bounds, error) {
	rules, err := m.Capabilities.ResolveNet(env)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.Source("capabilities.net"), err)
	}
	programs, err := m.Capabilities.ResolveProcess(env)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.Source("capabilities.host_process"), err)
	}
	c := &m.Capabilities
	g := host.Grants{
		FSRead: c.FSRead, FSWrite: c.FSWrite, IPCPublish: c.IPCPublish, IPCSubscribe: c.IPCSubscribe,
		HostProcess: programs, NetBind: c.NetBind, Identity: c.Identity, AnySession: c.AnySession || c.Uplink,
		Uplink: c.Uplink || len(m.Uplinks) > 0,
		Source: m.Source("capabilities"),
	}
	for _, r := range rules {
		g.Net = append(g.Net, r)
	}
	return host.NewBounds(m.ID(), g), nil
}
