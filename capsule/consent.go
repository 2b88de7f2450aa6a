package capsule

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/unicity-astrid/astrid-go/abi/host"
)

// ConsentDir is where consents are kept, below the principal's home.
const ConsentDir = ".config/consent"

// Consent is what the user agreed to when a capsule was installed: the concrete resources
// that it may use without asking again. The daemon turns each into a capability token,
// once; a token that is revoked is not made again from the same consent.
type Consent struct {
	ID        string    `json:"id"` // new for each time the user agreed
	Capsule   string    `json:"capsule"`
	GrantedAt time.Time `json:"granted_at"`
	Resources []string  `json:"resources"` // token patterns
}

// ConsentPath is the file of a capsule's consent.
func ConsentPath(principalHome, capsule string) string {
	return filepath.Join(principalHome, ConsentDir, capsule+".json")
}

// ConsentResources lists what a capsule needs consent for, as token patterns: each host
// that it declares by name, each file of the principal's home, each socket of its own, and looking
// up identities. Wildcards and the home as a whole are left out: what they cover is asked when it
// is used. An entry that ends with a
// slash is a directory with what is in it.
//
// Files are written relative to the home, as fs:read:home://notes.md, so that a home can be moved;
// [ConsentPattern] makes patterns of them.
func ConsentResources(m *Manifest, env map[string]string) ([]string, error) {
	rules, err := m.Capabilities.ResolveNet(env)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.Source("capabilities.net"), err)
	}
	var out []string
	for _, r := range rules {
		if r.Host == "*" || r.Only {
			continue
		}
		schemes := []string{r.Scheme}
		if r.Scheme == "" {
			schemes = []string{"https", "http"}
		}
		for _, s := range schemes {
			port := r.Port
			if port == 0 {
				if port = 443; s == "http" {
					port = 80
				}
			}
			out = append(out, "net:"+s+"://"+hostText(r.Host)+":"+strconv.Itoa(port)+"/**")
		}
	}
	out = append(out, homeResources("fs:read", m.Capabilities.FSRead)...)
	out = append(out, homeResources("fs:write", m.Capabilities.FSWrite)...)
	for _, e := range m.Capabilities.NetBind {
		if r := host.SocketResource(m.ID(), e); r != "" {
			out = append(out, r)
		}
	}
	return append(out, identityResources(m.Capabilities.Identity)...), nil
}

// identityResources are the looks that a level allows. Who belongs to whom is never changed without a question.
func identityResources(levels []string) []string {
	var out []string
	if len(levels) > 0 { // each level includes resolve
		out = append(out, "identity:resolve:**")
	}
	if slices.Contains(levels, "link") || slices.Contains(levels, "admin") {
		out = append(out, "identity:list:**")
	}
	return out
}

func homeResources(scheme string, entries []string) []string {
	var out []string
	for _, e := range entries {
		rel, ok := strings.CutPrefix(e, "home://")
		clean := strings.TrimPrefix(path.Clean("/"+rel), "/")
		if !ok || clean == "" || strings.ContainsAny(clean, `*?[]{}\`) {
			continue
		}
		out = append(out, scheme+":home://"+clean)
		if strings.HasSuffix(rel, "/") {
			out = append(out, scheme+":home://"+clean+"/**")
		}
	}
	return out
}

// ConsentPattern is the token pattern of a resource that was agreed to. ok is false when the home's
// own path cannot be part of one.
func ConsentPattern(resource, principalHome string) (pattern string, ok bool) {
	scheme, rel, relative := strings.Cut(resource, ":home://")
	if !relative {
		return resource, true
	}
	if real, err := filepath.EvalSymlinks(principalHome); err == nil { // it is decided about resolved paths
		principalHome = real
	}
	return scheme + "://" + filepath.ToSlash(principalHome) + "/" + rel, !strings.ContainsAny(principalHome, `*?[]{}\`)
}

// hostText puts an IPv6 address into brackets, as resources have it.
func hostText(h string) string {
	for _, c := range h {
		if c == ':' {
			return "[" + h + "]"
		}
	}
	return h
}

// SaveConsent writes a consent (0600) as a whole or not at all.
func SaveConsent(path string, c *Consent) error {
	b, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return WriteFileAtomic(path, b, 0o600)
}

// LoadConsent reads a consent; nil when the user has not been asked.
func LoadConsent(path string) (*Consent, error) {
	b, err := readBounded(path, MaxManifestSize)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c := new(Consent)
	if err := json.Unmarshal(b, c); err != nil {
		return nil, fmt.Errorf("%s: damaged: %w; install the capsule again", path, err)
	}
	return c, nil
}
