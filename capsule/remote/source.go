package remote

import (
	"fmt"
	"net/url"
	"path"
	"strings"

	"github.com/unicity-astrid/astrid-go/capsule"
)

// Source is where something is fetched from: either a repository on the release host (Org and Name), or a URL.
type Source struct {
	Org, Name string
	Version   string // of the release; "" is the latest
	URL       *url.URL
	Pin       Checksum // the hash that the URL's fragment demands
}

// String is the source as a user would type it.
func (s Source) String() string {
	switch {
	case s.URL != nil && s.Pin.Hex != "":
		return s.URL.String() + "#" + s.Pin.String()
	case s.URL != nil:
		return s.URL.String()
	case s.Version != "":
		return "@" + s.Org + "/" + s.Name + "@" + s.Version
	}
	return "@" + s.Org + "/" + s.Name
}

// Is reports whether a text is meant as a network source rather than as a path.
func Is(text string) bool {
	for _, p := range []string{"@", "github.com/", "https://", "http://"} {
		if strings.HasPrefix(text, p) {
			return true
		}
	}
	return false
}

// Parse reads a network source.
func Parse(text string) (Source, error) {
	switch {
	case strings.HasPrefix(text, "@"):
		return parseRepository(text, text[1:])
	case strings.HasPrefix(text, "github.com/"):
		return parseRepository(text, strings.TrimPrefix(text, "github.com/"))
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return Source{}, fmt.Errorf("%q is no source: write @org/name, @org/name@1.2.3, or https://host/file%s", text, ".capsule")
	}
	if u.User != nil {
		return Source{}, fmt.Errorf("%s: an address with a user or password in it is not taken: it would be recorded", u.Redacted())
	}
	if u.Host == "github.com" && u.Scheme == "https" && !strings.Contains(path.Base(u.Path), ".capsule") && path.Ext(u.Path) != ".toml" && path.Ext(u.Path) != ".distro" {
		return parseRepository(text, strings.Trim(u.Path, "/"))
	}
	s := Source{URL: u}
	if u.Fragment != "" {
		if s.Pin, err = parseChecksum(u.Fragment); err != nil {
			return Source{}, fmt.Errorf("%s: %w", text, err)
		}
		u.Fragment, u.RawFragment = "", ""
	}
	return s, nil
}

func parseRepository(text, rest string) (Source, error) {
	rest, version, pinned := strings.Cut(rest, "@")
	org, name, ok := strings.Cut(strings.TrimSuffix(rest, ".git"), "/")
	s := Source{Org: org, Name: name}
	if !ok || !validPart(org) || !validPart(name) {
		return s, fmt.Errorf("%q is no source: write @org/name or @org/name@1.2.3", text)
	}
	if pinned {
		v, err := capsule.ParseVersion(strings.TrimPrefix(version, "v"))
		if err != nil {
			return s, fmt.Errorf("%s: %w", text, err)
		}
		s.Version = v.String()
	}
	return s, nil
}

// validPart accepts what can stand in a path as one element and be no option of a program.
func validPart(s string) bool {
	for _, r := range s {
		if r != '-' && r != '_' && r != '.' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') {
			return false
		}
	}
	return s != "" && len(s) <= 100 && s[0] != '-' && s[0] != '.'
}

// release is the directory of the release's files.
func (s Source) release(base *url.URL) *url.URL {
	if s.Version == "" {
		return base.JoinPath(s.Org, s.Name, "releases", "latest", "download")
	}
	return base.JoinPath(s.Org, s.Name, "releases", "download", "v"+s.Version)
}

// Repository is the address to clone.
func (s Source) Repository(base *url.URL) string {
	return base.JoinPath(s.Org, s.Name).String() + ".git"
}
