package kernel

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/ipc"
)

// lacking are the settings that loaded capsules have neither a value nor a default for.
type lacking struct {
	mu sync.Mutex
	m  map[string]abi.OnboardingRequired // by capsule id
}

// set replaces what is lacking for a capsule; keys may be empty.
func (l *lacking) set(m *capsule.Manifest, keys []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.m, m.ID())
	if len(keys) == 0 {
		return
	}
	o := abi.OnboardingRequired{CapsuleID: m.ID()}
	for _, key := range keys {
		o.Fields = append(o.Fields, onboardingField(key, m.Env[key]))
	}
	if l.m == nil {
		l.m = make(map[string]abi.OnboardingRequired)
	}
	l.m[m.ID()] = o
}

func (l *lacking) get(id string) (abi.OnboardingRequired, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	o, ok := l.m[id]
	return o, ok
}

// onboardingField is how a setting is asked for.
func onboardingField(key string, f capsule.EnvField) abi.OnboardingField {
	out := abi.OnboardingField{Key: key, Prompt: f.Prompt(key), Description: f.Description, Placeholder: f.Placeholder}
	switch f.Kind() {
	case capsule.EnvSecret:
		out.FieldType.Name = "Secret"
	case capsule.EnvArray:
		out.FieldType.Name = "Array"
	case capsule.EnvEnum:
		out.FieldType = abi.FieldType{Name: "Enum", Enum: f.EnumValues}
	default:
		out.FieldType.Name = "Text"
	}
	return out
}

// reason says what a capsule lacks, for its status.
func (l *lacking) reason(id string) string {
	o, ok := l.get(id)
	if !ok {
		return ""
	}
	var keys []string
	for _, f := range o.Fields {
		keys = append(keys, f.Key)
	}
	return "it lacks settings: " + strings.Join(keys, ", ")
}

// tellLacking says on the bus what a capsule that was loaded lacks.
func (k *Kernel) tellLacking(ctx context.Context, id string) {
	o, ok := k.lacking.get(id)
	if !ok {
		return
	}
	slog.Warn("Capsule lacks settings", "capsule", id, "reason", k.lacking.reason(id))
	payload, err := ipc.Tagged(o)
	if err == nil {
		err = k.publish(ctx, abi.TopicOnboardingRequired, payload)
	}
	if err != nil {
		slog.Error("A message about settings could not be published", "capsule", id, "error", err)
	}
}

// tellOnboarding tells a client that wants to know what capsules lack now: most are loaded before anybody is there.
func (c *client) tellOnboarding(topics []string) {
	if !slices.ContainsFunc(topics, func(t string) bool { return ipc.Match(t, abi.TopicOnboardingRequired) }) {
		return
	}
	for _, loaded := range c.k.registry.List() {
		if o, ok := c.k.lacking.get(loaded.ID()); ok {
			c.tell(abi.TopicOnboardingRequired, o)
		}
	}
}
