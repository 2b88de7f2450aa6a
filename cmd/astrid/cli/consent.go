package cli

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/ipc"
)

// wants says in words what a capsule may do with its settings; safe to show.
func wants(m *capsule.Manifest, env map[string]string) []string {
	c := &m.Capabilities
	var out []string
	add := func(what string, list []string) {
		if len(list) > 0 {
			shown := make([]string, len(list))
			for i, entry := range list {
				shown[i] = approval.Display(entry)
			}
			out = append(out, what+" "+strings.Join(shown, ", "))
		}
	}
	add("reads", c.FSRead)
	add("writes", c.FSWrite)
	var hosts []string
	for _, e := range c.Net {
		hosts = append(hosts, capsule.NetText(e, env))
	}
	add("network", hosts)
	var programs []string
	for _, e := range c.HostProcess {
		programs = append(programs, capsule.ProcessText(e, env))
	}
	add("runs", programs)
	add("listens", c.NetBind)
	add("identity", c.Identity)
	add("sends", slices.DeleteFunc(slices.Clone(c.IPCPublish), func(p string) bool { return !commands(p) }))
	var guarded []string
	for _, ic := range m.Interceptors {
		if ic.Priority < capsule.GuardPriority && !slices.Contains(guarded, ic.Event) {
			guarded = append(guarded, ic.Event)
		}
	}
	add("may stop and change", guarded)
	if c.AllowPromptInjection {
		out = append(out, "changes the system prompt")
	}
	if c.AnySession {
		out = append(out, "goes on in sessions by itself")
	}
	if c.Uplink {
		out = append(out, "is a frontend")
	}
	if out == nil {
		out = []string{"messages only"}
	}
	return out
}

// commands tells whether messages on a topic make other capsules act, with what those may do.
func commands(pattern string) bool {
	for _, topic := range []string{abi.TopicUserPrompt, abi.TopicToolRequest, abi.TopicToolExecutePrefix + "*", abi.TopicGeneratePrefix + "*"} {
		if pattern != abi.TopicToolResult && (ipc.MatchExact(pattern, topic) || ipc.MatchExact(topic, pattern)) {
			return true
		}
	}
	return false
}

// changes says in words how the wants of a capsule differ from those of the version that
// it replaces: "+" for what is new, "-" for what goes.
func changes(next, previous *capsule.Manifest) []string {
	have, want := grants(previous), grants(next)
	var out []string
	for _, g := range want {
		if !slices.Contains(have, g) {
			out = append(out, "+ "+g)
		}
	}
	for _, g := range have {
		if !slices.Contains(want, g) {
			out = append(out, "- "+g)
		}
	}
	return out
}

// grants lists everything that a manifest allows, one thing each.
func grants(m *capsule.Manifest) []string {
	c := &m.Capabilities
	var out []string
	for _, l := range []struct {
		what string
		list []string
	}{
		{"reads", c.FSRead}, {"writes", c.FSWrite}, {"network", c.Net}, {"runs", c.HostProcess}, {"listens", c.NetBind},
		{"identity", c.Identity}, {"publishes", c.IPCPublish}, {"subscribes", c.IPCSubscribe},
	} {
		for _, v := range l.list {
			out = append(out, l.what+" "+v)
		}
	}
	for _, ic := range m.Interceptors {
		what := "handles "
		if ic.Priority < capsule.GuardPriority {
			what = "guards "
		}
		out = append(out, what+ic.Event)
	}
	if c.AllowPromptInjection {
		out = append(out, "changes the system prompt")
	}
	if c.AnySession {
		out = append(out, "goes on in sessions by itself")
	}
	if c.Uplink {
		out = append(out, "is a frontend")
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// consent records what was shown and agreed to. The daemon makes tokens of it. An earlier
// consent to something else ends.
func consent(settings capsule.Settings, manifests []*capsule.Manifest) error {
	for _, m := range manifests {
		set, err := settings.Load(m)
		if err != nil {
			return err
		}
		env, _, err := m.ResolveEnv(set)
		if err != nil {
			return err
		}
		resources, err := capsule.ConsentResources(m, env)
		if err != nil {
			return err
		}
		path := capsule.ConsentPath(settings.Home, m.ID())
		if len(resources) == 0 {
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			continue
		}
		c := &capsule.Consent{ID: uuid.NewString(), Capsule: m.ID(), GrantedAt: time.Now().UTC(), Resources: resources}
		if err := capsule.SaveConsent(path, c); err != nil {
			return err
		}
	}
	return nil
}
