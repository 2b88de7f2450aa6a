package host

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"sync"

	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/ipc"
)

// Grants is what a capsule's manifest asks for, as plain lists. See spec of
// [capabilities] in Capsule.toml; an empty list grants nothing.
type Grants struct {
	FSRead, FSWrite          []string
	Net                      []NetRule
	IPCPublish, IPCSubscribe []string
	HostProcess, NetBind     []string
	Identity                 []string
	AnySession               bool   // may name the session of what it publishes outside of one
	Uplink                   bool   // the capsule is a frontend
	Source                   string // file of the manifest, shown in denials
}

// NetRule is one permitted destination of outgoing requests. The manifest's rules
// (capsule.NetRule) implement it.
type NetRule interface {
	// Permits tells whether a request to that scheme ("http", "https"), host and port is covered.
	Permits(scheme, host string, port int) bool
	// Exact tells whether one host and port were named: then they may be private or loopback.
	Exact() bool
	String() string
}

// Bounds is the compiled manifest of one capsule: the outermost layer of the gate.
type Bounds struct {
	capsule string
	source  string
	g       Grants
	read    []fsRule
	write   []fsRule

	once sync.Once
	tr   *http.Transport // of this capsule alone: connections are never shared across bounds
}

type fsRule struct {
	scheme string // cwd, home, tmp; "" for an absolute host path
	prefix string // clean, relative to the scheme's root; "." is all of it
	text   string
}

// NewBounds compiles the grants of a capsule.
func NewBounds(capsule string, g Grants) *Bounds {
	return &Bounds{capsule: capsule, source: g.Source, g: g, read: fsRules(g.FSRead), write: fsRules(g.FSWrite)}
}

func fsRules(entries []string) []fsRule {
	var rules []fsRule
	for _, e := range entries {
		r := fsRule{text: e}
		switch {
		case e == "*":
			r.scheme, r.prefix = "cwd", "."
		case strings.HasPrefix(e, "cwd://"):
			r.scheme, r.prefix = "cwd", cleanRel(e[len("cwd://"):])
		case strings.HasPrefix(e, "home://"):
			r.scheme, r.prefix = "home", cleanRel(e[len("home://"):])
		case e == "/tmp" || strings.HasPrefix(e, "/tmp/"):
			r.scheme, r.prefix = "tmp", cleanRel(e[len("/tmp"):])
		default:
			continue // names no tree a guest can reach, so it grants nothing
		}
		rules = append(rules, r)
	}
	return rules
}

func cleanRel(s string) string {
	return strings.TrimPrefix(path.Clean("/"+s), "/") + dotIfEmpty(s)
}

func dotIfEmpty(s string) string {
	if path.Clean("/"+s) == "/" {
		return "."
	}
	return ""
}

// permit is the manifest check of one planned call.
type permit func() (rule string, err error)

// Permit implements approval.Bounds.
func (p permit) Permit(*approval.Action) (string, error) { return p() }

// own is the check of calls that touch nothing but the calling instance's own state.
var own = permit(func() (string, error) { return "own", nil })

// boundsError is a refusal by the manifest; the gate reports its source.
type boundsError struct{ text, source string }

func (e *boundsError) Error() string  { return e.text }
func (e *boundsError) Source() string { return e.source }

func (b *Bounds) refuse(format string, args ...any) error {
	return &boundsError{fmt.Sprintf("capsule '%s' ", b.capsule) + fmt.Sprintf(format, args...), b.source}
}

func (b *Bounds) deny(format string, args ...any) error {
	return b.refuse("denied: "+format+" not declared in manifest", args...)
}

// file checks a path inside a scheme's tree.
func (b *Bounds) file(write bool, loc location) permit {
	return func() (string, error) {
		rules, verb, key := b.read, "read", "fs_read"
		if write {
			rules, verb, key = b.write, "write", "fs_write"
		}
		if loc.scheme == "home" && hiddenInHome(loc.rel) && (verb != "read" || !manifestInHome(loc.rel)) {
			return "", b.refuse("denied: %s access to '%s': it holds settings and secrets of the principal", verb, loc.abs)
		}
		for _, r := range rules {
			if r.scheme == loc.scheme && (r.prefix == "." || loc.rel == r.prefix || strings.HasPrefix(loc.rel, r.prefix+"/")) {
				return key + " " + r.text, nil
			}
		}
		return "", b.deny("%s access to '%s'", verb, loc.abs)
	}
}

// hiddenInHome tells whether a path of home:// holds keys, tokens, secrets, the audit
// log or other capsules' data. Names are compared without case: file systems may be so.
func hiddenInHome(rel string) bool {
	first, rest, _ := strings.Cut(strings.ToLower(rel), "/")
	switch first {
	case ".local":
		return true
	case ".config":
		return rest != "spark.toml"
	}
	return false
}

// manifestInHome tells whether a path is what is known of an installed capsule: its manifest and the
// record of its installation, or a directory on the way there. Nothing in them is secret.
func manifestInHome(rel string) bool {
	parts := strings.Split(rel, "/")
	if len(parts) < 2 || len(parts) > 4 || parts[0] != ".local" || parts[1] != "capsules" {
		return false
	}
	return len(parts) < 4 || parts[3] == "Capsule.toml" || parts[3] == "meta.json"
}

// netRule checks a URL and returns the rule that permits it.
func (b *Bounds) netRule(u *url.URL) (NetRule, error) {
	for _, r := range b.g.Net {
		if !r.Permits(u.Scheme, u.Hostname(), portOf(u)) {
			continue
		}
		if ip, ok := literal(u.Hostname()); ok && !b.opens(u.Hostname(), portOf(u), ip) {
			continue // nobody is to be asked about what could not be dialled afterwards
		}
		return r, nil
	}
	if ip, ok := literal(u.Hostname()); ok && PrivateAddress(ip) {
		return nil, b.deny("network access to '%s', a private or local address that must be named with its port,", net.JoinHostPort(u.Hostname(), strconv.Itoa(portOf(u))))
	}
	return nil, b.deny("network access to '%s'", net.JoinHostPort(u.Hostname(), strconv.Itoa(portOf(u))))
}

func portOf(u *url.URL) int {
	if p, err := strconv.Atoi(u.Port()); err == nil {
		return p
	}
	if u.Scheme == "http" {
		return 80
	}
	return 443
}

// publish checks a topic against ipc_publish. Reserved topics belong to the kernel and
// to authenticated clients whatever the manifest says.
func (b *Bounds) publish(topic string) permit {
	return func() (string, error) {
		if ipc.Reserved(topic) {
			return "", b.refuse("is not allowed to publish to topic '%s': topics of the kernel are reserved", topic)
		}
		return b.topic(b.g.IPCPublish, topic, "ipc_publish", "publish to topic")
	}
}

// subscribe checks a pattern against ipc_subscribe.
func (b *Bounds) subscribe(pattern string) permit {
	return func() (string, error) {
		return b.topic(b.g.IPCSubscribe, pattern, "ipc_subscribe", "subscribe to topic")
	}
}

func (b *Bounds) topic(patterns []string, topic, key, verb string) (string, error) {
	if len(patterns) == 0 {
		return "", b.refuse("has no %s declarations: add %s patterns to [capabilities]", key, key)
	}
	for _, p := range patterns {
		if ipc.MatchExact(p, topic) {
			return key + " " + p, nil
		}
	}
	return "", b.refuse("is not allowed to %s '%s': declared %s patterns: %q", verb, topic, key, patterns)
}
