package distros_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/ipc"
)

const sdk = "github.com/unicity-astrid/astrid-go/sdk/"

// fromKernel are the topics that capsules may wait for and that the kernel publishes.
var fromKernel = []string{abi.TopicCapsulesLoaded, abi.TopicWatchdogTick}

// fromClients are those that clients publish.
var fromClients = []string{
	abi.TopicUserPrompt, abi.TopicCommandExecute, abi.TopicSessionPrefix + "*",
	"registry.v1.get_providers", "registry.v1.get_active_model", "registry.v1.set_active_model", "registry.v1.selection.callback",
	abi.TopicRefreshModels,
}

// fromOutside are published by no capsule of the distribution: they are part of the
// contract for those that a person may add.
var fromOutside = []string{
	"session.v1.clear",                  // frontends
	"context_engine.v1.hook_response.*", // whoever pins messages
	"users.v1.*.request",                // frontends of outside platforms
	"users.v1.context.*.request",
}

// entry is a capsule with its manifest and its code.
type entry struct {
	*capsule.Manifest
	source
}

func load(t *testing.T) []entry {
	t.Helper()
	paths, err := filepath.Glob("astralis/capsules/*/" + capsule.ManifestName)
	if err != nil || len(paths) == 0 {
		t.Fatalf("no capsules: %v", err)
	}
	var all []entry
	for _, p := range paths {
		m, err := capsule.LoadManifest(p)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range m.Warnings {
			t.Errorf("%s", w)
		}
		e := entry{m, read(t, filepath.Dir(p))}
		for _, tool := range e.tools { // the SDK answers for the capsule
			e.actions = append(e.actions, "tool_execute_"+tool)
			e.published = append(e.published, abi.TopicToolExecutePrefix+tool+".result")
		}
		if len(e.tools) > 0 {
			e.actions = append(e.actions, "tool_describe")
		}
		all = append(all, e)
	}
	return all
}

// covers tells whether a pattern of a manifest allows a topic. What is not known of the
// topic stands for itself.
func covers(pattern, topic string) bool {
	return ipc.MatchExact(pattern, strings.ReplaceAll(topic, "*", "x"))
}

// overlaps tells whether a message on topic can reach a subscriber of pattern; either may
// have parts that are not known.
func overlaps(pattern, topic string) bool {
	p, s := strings.Split(pattern, "."), strings.Split(topic, ".")
	if len(p) != len(s) {
		return false
	}
	for i := range p {
		if p[i] != s[i] && p[i] != "*" && s[i] != "*" {
			return false
		}
	}
	return true
}

func either(lists ...[]string) []string { return slices.Concat(lists...) }

// Whatever a capsule waits for, somebody sends.
func TestEveryTopicHasASender(t *testing.T) {
	all := load(t)
	sent := either(fromKernel, fromClients, fromOutside)
	for _, e := range all {
		sent = append(sent, either(e.published, e.asked)...)
	}
	reaches := func(pattern string) func(string) bool {
		return func(topic string) bool { return overlaps(pattern, topic) }
	}
	var waited []string
	for _, e := range all {
		for _, ic := range e.Interceptors {
			waited = append(waited, ic.Event)
			if !slices.ContainsFunc(sent, reaches(ic.Event)) {
				t.Errorf("%s intercepts %s, which nobody publishes", e.ID(), ic.Event)
			}
		}
		for _, p := range e.Capabilities.IPCSubscribe {
			waited = append(waited, p)
			if !slices.ContainsFunc(sent, reaches(p)) {
				t.Errorf("%s subscribes to %s, which nobody publishes", e.ID(), p)
			}
		}
	}
	// The lists of this test hold nothing that is of no use any more.
	for _, topic := range either(fromKernel, fromClients, fromOutside) {
		if !slices.ContainsFunc(waited, reaches(topic)) {
			t.Errorf("nobody waits for %s", topic)
		}
	}
	for _, topic := range fromOutside {
		for _, e := range all {
			if slices.ContainsFunc(e.published, reaches(topic)) {
				t.Errorf("%s is published by %s now", topic, e.ID())
			}
		}
	}
}

// A manifest allows what the code does, and nothing else.
func TestManifestsFitTheCode(t *testing.T) {
	for _, e := range load(t) {
		t.Run(e.ID(), func(t *testing.T) {
			fits(t, "ipc_publish", e.Capabilities.IPCPublish, either(e.published, boundHooks(e.asked)), covers)
			fits(t, "ipc_subscribe", e.Capabilities.IPCSubscribe, e.awaited, covers)
			var actions, settings []string
			for _, ic := range e.Interceptors {
				actions = append(actions, ic.Action)
			}
			same := func(a, b string) bool { return a == b }
			fits(t, "interceptor actions", actions, e.actions, same)
			for key := range e.Env {
				settings = append(settings, key)
			}
			fits(t, "env", settings, e.settings, same)
			for _, ic := range e.Interceptors {
				if tool, ok := strings.CutPrefix(ic.Action, "tool_execute_"); ok && ic.Event != abi.TopicToolExecutePrefix+tool {
					t.Errorf("tool %s listens on %s", tool, ic.Event)
				}
			}
		})
	}
}

// boundHooks are those that only a capsule which may send a message there may ask: see the host's Bounds.
func boundHooks(asked []string) []string {
	return slices.DeleteFunc(slices.Clone(asked), func(topic string) bool {
		return !strings.Contains(topic, ".") || strings.HasSuffix(topic, ".request.describe")
	})
}

// fits compares what a manifest declares with what the code has, both ways.
func fits(t *testing.T, what string, declared, found []string, match func(declared, found string) bool) {
	t.Helper()
	for _, d := range declared {
		if !slices.ContainsFunc(found, func(f string) bool { return match(d, f) }) {
			t.Errorf("%s: %s is declared but not in the code", what, d)
		}
	}
	for _, f := range found {
		if !slices.ContainsFunc(declared, func(d string) bool { return match(d, f) }) {
			t.Errorf("%s: %s is in the code but not declared", what, f)
		}
	}
}

// No capsule asks for a right that it has no use for, or uses one without asking.
func TestCapabilitiesAreUsed(t *testing.T) {
	for _, e := range load(t) {
		c := &e.Capabilities
		writes := slices.ContainsFunc([]string{"WriteFile", "MkdirAll", "Remove"}, func(fn string) bool {
			return e.imports[sdk+"fs"] && (e.calls["fs."+fn] || e.calls["astridfs."+fn])
		})
		if asks := len(c.FSWrite) > 0; asks != writes {
			t.Errorf("%s: fs_write asked for: %v, used: %v", e.ID(), asks, writes)
		}
		for _, right := range []struct {
			name string
			has  bool
			pkgs []string // any of which uses it
		}{
			{"fs_read", len(c.FSRead) > 0, []string{"fs"}},
			{"net", len(c.Net) > 0, []string{"http"}},
			{"net_bind", len(c.NetBind) > 0, []string{"net"}},
			{"host_process", len(c.HostProcess) > 0, []string{"process"}},
			{"identity", len(c.Identity) > 0, []string{"identity"}},
			{"uplink", c.Uplink, []string{"uplink", "net"}},
		} {
			used := slices.ContainsFunc(right.pkgs, func(p string) bool { return e.imports[sdk+p] })
			if used != right.has {
				t.Errorf("%s: %s asked for: %v, used: %v", e.ID(), right.name, right.has, used)
			}
		}
		contributes := slices.ContainsFunc(e.published, func(p string) bool {
			return overlaps("prompt_builder.v1.hook_response.*", p) || p == abi.TopicSparkReady
		})
		if c.AllowPromptInjection && !contributes {
			t.Errorf("%s may change the prompt and does not", e.ID())
		}
		// Only what wakes itself up has a use for it; frontends may without.
		wakes := slices.ContainsFunc(e.Interceptors, func(ic capsule.Interceptor) bool {
			return slices.ContainsFunc(e.published, func(p string) bool { return covers(p, ic.Event) && p != abi.TopicToolResult })
		})
		if c.AnySession && !wakes {
			t.Errorf("%s may go on in sessions by itself and does not", e.ID())
		}
		if len(c.KV) > 0 && !e.imports[sdk+"kv"] {
			t.Errorf("%s has kv %v and keeps nothing", e.ID(), c.KV)
		}
	}
}

// The capsules satisfy each other, and the distribution lists them all.
func TestDistributionIsWhole(t *testing.T) {
	var manifests []*capsule.Manifest
	for _, e := range load(t) {
		manifests = append(manifests, e.Manifest)
	}
	for _, r := range capsule.Resolve(manifests).Refused {
		t.Errorf("%s: %s", r.Manifest.ID(), r.Reason)
	}
}
