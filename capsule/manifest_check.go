package capsule

import (
	"fmt"
	"path"
	"sort"
	"strings"

	"github.com/unicity-astrid/astrid-go/capsule/stricttoml"
)

// RuntimeVersion is what package.astrid-version is compared with: the model of Astrid that this runtime speaks.
var RuntimeVersion = MustVersion("0.5.0")

// checker applies the rules that types alone do not express. It collects every complaint.
type checker struct {
	m    *Manifest
	file *manifestFile
	doc  *stricttoml.Document
	errs stricttoml.ErrorList
}

func (c *checker) fail(key, format string, args ...any) {
	c.errs = append(c.errs, c.doc.Errorf(key, format, args...))
}

func (c *checker) warn(key, format string, args ...any) {
	c.m.Warnings = append(c.m.Warnings, c.doc.Errorf(key, format, args...).Error())
}

func (c *checker) check() error {
	c.pkg()
	c.components()
	c.interfaces()
	c.capabilities("capabilities", &c.file.Capabilities)
	for i := range c.file.Component {
		if caps := c.file.Component[i].Capabilities; caps != nil {
			c.capabilities(stricttoml.Elem("component", i)+".capabilities", caps)
		}
	}
	c.env()
	c.files()
	c.servers()
	c.uplinks()
	c.interceptors()
	c.topics()
	return c.errs.Err()
}

func (c *checker) pkg() {
	p := &c.m.Package
	if err := ValidName(p.Name); err != nil {
		c.fail("package.name", "%v", err)
	}
	if p.AstridVersion != "" {
		r, err := ParseRequirement(p.AstridVersion)
		switch {
		case err != nil:
			c.fail("package.astrid-version", "%v", err)
		case !r.Matches(RuntimeVersion):
			c.fail("package.astrid-version", "needs Astrid %s, this is %s", r, RuntimeVersion)
		}
	}
	for key, file := range map[string]string{"license-file": p.LicenseFile, "readme": p.Readme} {
		if file != "" {
			c.local("package."+key, file)
		}
	}
	for key, globs := range map[string][]string{"include": p.Include, "exclude": p.Exclude} {
		for i, glob := range globs {
			c.local(stricttoml.Elem("package."+key, i), glob)
		}
	}
}

// ValidName checks a capsule id: 1 to 64 of a-z, 0-9 and '-', with no '-' at either end. The id is used as a
// directory and file name, so nothing else may be joined into a path.
func ValidName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("the name is empty")
	case len(name) > MaxNameLength:
		return fmt.Errorf("the name is longer than %d characters", MaxNameLength)
	case name[0] == '-' || name[len(name)-1] == '-':
		return fmt.Errorf("name %q must not begin or end with a hyphen", name)
	}
	for _, r := range name {
		if r != '-' && (r < 'a' || r > 'z') && (r < '0' || r > '9') {
			return fmt.Errorf("name %q may only have a-z, 0-9 and '-'", name)
		}
	}
	return nil
}

// MaxNameLength is the longest capsule id.
const MaxNameLength = 64

func (c *checker) components() {
	for i, f := range c.file.Component {
		key := stricttoml.Elem("component", i)
		switch {
		case f.File != "" && f.Entrypoint != "":
			c.fail(key+".entrypoint", "file and entrypoint are two names of the same key: give one")
		case f.File == "" && f.Entrypoint == "":
			c.fail(key, "missing required key \"file\"")
		case f.File != "":
			c.componentFile(key+".file", f.File)
		default:
			c.componentFile(key+".entrypoint", f.Entrypoint)
		}
		if n := c.m.Components[i].Instances; n < 1 || n > MaxInstances {
			c.fail(key+".instances", "want 1 to %d, found %d", MaxInstances, n)
		}
		if f.OrderBy != "" && strings.TrimSpace(f.OrderBy) == "" || len(f.OrderBy) > 128 {
			c.fail(key+".order_by", "want the name of a payload field, such as \"session_id\"")
		}
		switch f.Type {
		case "", "executable":
		case "library":
			c.warn(key+".type", "library components are not linked")
		default:
			c.fail(key+".type", "want \"executable\" or \"library\", found %q", f.Type)
		}
		if len(f.Link) > 0 {
			c.warn(key+".link", "components are not linked to each other")
		}
		if i > 0 {
			c.warn(key, "only the first component runs")
		}
	}
}

func (c *checker) componentFile(key, file string) {
	if !c.local(key, file) {
		return
	}
	if reservedFile(file) {
		c.fail(key, "%q is a file of the store itself", file)
	}
}

// reservedFile reports names that an installed capsule keeps for its own records.
func reservedFile(name string) bool {
	switch strings.ToLower(path.Clean(name)) {
	case strings.ToLower(ManifestName), MetaName, ".env.json":
		return true
	}
	return false
}

// local checks that a path stays inside the capsule directory on every platform.
func (c *checker) local(key, file string) bool {
	if err := LocalPath(file); err != nil {
		c.fail(key, "%v", err)
		return false
	}
	return true
}

// LocalPath checks a slash-separated relative path without empty, "." or ".." components, backslashes, colons
// or control characters, so that it means the same file below any root on any platform. "./" in front is fine.
func LocalPath(file string) error {
	if file == "" {
		return fmt.Errorf("the path is empty")
	}
	if strings.HasPrefix(file, "/") {
		return fmt.Errorf("path %q must be relative to the capsule", file)
	}
	for _, r := range file {
		if r < ' ' || r == 0x7f || r == '\\' || r == ':' {
			return fmt.Errorf("path %q has a character that is not allowed: %q", file, r)
		}
	}
	for _, part := range strings.Split(strings.TrimPrefix(file, "./"), "/") {
		switch part {
		case "..":
			return fmt.Errorf("path %q leaves the capsule", file)
		case "", ".":
			return fmt.Errorf("path %q has an empty component", file)
		}
	}
	return nil
}

func (c *checker) interfaces() {
	for _, table := range []struct {
		key   string
		names []Interface
	}{{"imports", c.importNames()}, {"exports", c.exportNames()}} {
		for _, i := range table.names {
			for _, part := range []string{i.Namespace, i.Name} {
				if !validIdentifier(part) {
					key := stricttoml.Join(stricttoml.Join(table.key, i.Namespace), i.Name)
					c.fail(key, "%q must be lowercase letters, digits and '-', beginning with a letter", part)
				}
			}
		}
	}
	if c.m.Capabilities.Uplink && len(c.m.Imports) > 0 {
		c.fail("imports", "a capsule with capabilities.uplink loads before all others and may not have imports")
	}
}

func (c *checker) importNames() (names []Interface) {
	for _, i := range c.m.Imports {
		names = append(names, i.Interface)
	}
	return names
}

func (c *checker) exportNames() (names []Interface) {
	for _, e := range c.m.Exports {
		names = append(names, e.Interface)
	}
	return names
}

func validIdentifier(s string) bool {
	for i, r := range s {
		letter := r >= 'a' && r <= 'z'
		if !letter && (i == 0 || r != '-' && (r < '0' || r > '9')) {
			return false
		}
	}
	return s != ""
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
