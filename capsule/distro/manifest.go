package distro

import (
	"fmt"
	"io/fs"
	"os"
	"sort"

	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/capsule/stricttoml"
)

// ManifestName is the usual file name of a distro manifest.
const ManifestName = "Distro.toml"

// MaxSize bounds a Distro.toml or lock file in bytes.
const MaxSize = 1 << 20

// SchemaVersion is the only version of both formats so far.
const SchemaVersion = 1

// RoleUplink marks a capsule that connects a frontend; a distro needs at least one.
const RoleUplink = "uplink"

// Manifest is a validated Distro.toml.
type Manifest struct {
	Path      string
	Info      Info
	Requires  []capsule.Import // interfaces that the installed capsules must provide together
	Variables map[string]Variable
	Capsules  []Entry // in file order
}

// Info is the [distro] table. ID and Version identify an installation; the rest is for display.
type Info struct {
	ID            string          `toml:"id,required"`
	Name          string          `toml:"name,required"`
	PrettyName    string          `toml:"pretty-name"`
	Version       capsule.Version `toml:"version,required"`
	Codename      string          `toml:"codename"`
	ReleaseDate   string          `toml:"release-date"`
	Description   string          `toml:"description"`
	Homepage      string          `toml:"homepage"`
	Support       string          `toml:"support"`
	BugTracker    string          `toml:"bug-tracker"`
	Repository    string          `toml:"repository"`
	License       string          `toml:"license"`
	Authors       []string        `toml:"authors"`
	Maintainers   []string        `toml:"maintainers"`
	AstridVersion string          `toml:"astrid-version"` // requirement on the runtime

	Requires map[string]map[string]capsule.Requirement `toml:"requires"`
}

// Title is the name to show.
func (i Info) Title() string {
	if i.PrettyName != "" {
		return i.PrettyName
	}
	return i.Name
}

// Variable is one question. A secret must not be echoed while it is typed.
// A quiet one is not asked for: it has a default that few people change.
type Variable struct {
	Secret      bool   `toml:"secret"`
	Quiet       bool   `toml:"quiet"`
	Description string `toml:"description"`
	Default     string `toml:"default"`
}

// Entry is one [[capsule]].
type Entry struct {
	Name    string            `toml:"name,required"`
	Source  string            `toml:"source,required"`
	Version capsule.Version   `toml:"version,required"` // the installed capsule must have exactly this one
	Group   string            `toml:"group"`
	Role    string            `toml:"role"`
	Env     map[string]string `toml:"env"` // values may hold {{ variable }}
}

type distroFile struct {
	SchemaVersion int64               `toml:"schema-version,required"`
	Distro        Info                `toml:"distro,required"`
	Variables     map[string]Variable `toml:"variables"`
	Capsules      []Entry             `toml:"capsule"`
}

// Load reads and validates a Distro.toml.
func Load(path string) (*Manifest, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, data)
}

// LoadFS is Load from a file tree, such as one embedded in the program.
func LoadFS(fsys fs.FS, path string) (*Manifest, error) {
	data, err := fs.ReadFile(fsys, path)
	if err != nil {
		return nil, err
	}
	return Parse(path, data)
}

func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > MaxSize {
		return nil, fmt.Errorf("%s: want a file of at most %d bytes", path, MaxSize)
	}
	return os.ReadFile(path)
}

// Parse validates data as the Distro.toml at path. The error is a stricttoml.ErrorList with every complaint.
func Parse(path string, data []byte) (*Manifest, error) {
	if len(data) > MaxSize {
		return nil, stricttoml.ErrorList{{File: path, Msg: fmt.Sprintf("larger than %d bytes", MaxSize)}}
	}
	doc, err := stricttoml.Parse(path, data)
	if err != nil {
		return nil, err
	}
	var f distroFile
	if err := doc.Decode(&f, stricttoml.Options{}); err != nil {
		return nil, err
	}
	m := &Manifest{Path: path, Info: f.Distro, Variables: f.Variables, Capsules: f.Capsules}
	for ns, interfaces := range f.Distro.Requires {
		for name, r := range interfaces {
			m.Requires = append(m.Requires, capsule.Import{Interface: capsule.Interface{Namespace: ns, Name: name}, Requirement: r})
		}
	}
	sort.Slice(m.Requires, func(i, j int) bool {
		return m.Requires[i].Interface.String() < m.Requires[j].Interface.String()
	})
	c := &checker{m: m, doc: doc}
	return m, c.check(f.SchemaVersion)
}

type checker struct {
	m    *Manifest
	doc  *stricttoml.Document
	errs stricttoml.ErrorList
}

func (c *checker) fail(key, format string, args ...any) {
	c.errs = append(c.errs, c.doc.Errorf(key, format, args...))
}

func (c *checker) check(schema int64) error {
	if schema != SchemaVersion {
		c.fail("schema-version", "version %d is not supported: this runtime reads version %d", schema, SchemaVersion)
	}
	if !validID(c.m.Info.ID) {
		c.fail("distro.id", "%q must be lowercase letters, digits and '-', beginning with a letter", c.m.Info.ID)
	}
	if text := c.m.Info.AstridVersion; text != "" {
		r, err := capsule.ParseRequirement(text)
		switch {
		case err != nil:
			c.fail("distro.astrid-version", "%v", err)
		case !r.Matches(capsule.RuntimeVersion):
			c.fail("distro.astrid-version", "needs Astrid %s, this is %s", r, capsule.RuntimeVersion)
		}
	}
	for name := range c.m.Variables {
		if !validVariable(name) {
			c.fail(stricttoml.Join("variables", name), "a variable name has only letters, digits, '_' and '-'")
		}
	}
	c.capsules()
	return c.errs.Err()
}

func (c *checker) capsules() {
	seen, uplink := map[string]bool{}, false
	for i, e := range c.m.Capsules {
		key := stricttoml.Elem("capsule", i)
		if err := capsule.ValidName(e.Name); err != nil {
			c.fail(key+".name", "%v", err)
		}
		if seen[e.Name] {
			c.fail(key+".name", "capsule %q is listed twice", e.Name)
		}
		seen[e.Name] = true
		if e.Source == "" {
			c.fail(key+".source", "it is empty")
		}
		if e.Role != "" && e.Role != RoleUplink {
			c.fail(key+".role", "%q is not a role: only %q is", e.Role, RoleUplink)
		}
		uplink = uplink || e.Role == RoleUplink
		for name, value := range e.Env {
			if _, err := Expand(value, c.declared); err != nil {
				c.fail(stricttoml.Join(key+".env", name), "%v", err)
			}
		}
	}
	switch {
	case len(c.m.Capsules) == 0:
		c.fail("", "there is no [[capsule]]")
	case !uplink:
		c.fail("capsule", "none has role = %q, so no client could connect", RoleUplink)
	}
}

// declared accepts the variables of the manifest; the values do not matter yet.
func (c *checker) declared(name string) (string, error) {
	if _, ok := c.m.Variables[name]; ok {
		return "", nil
	}
	names := make([]string, 0, len(c.m.Variables))
	for n := range c.m.Variables {
		names = append(names, n)
	}
	if near := stricttoml.Suggest(name, names); near != "" {
		return "", fmt.Errorf("there is no variable %q; did you mean %q?", name, near)
	}
	return "", fmt.Errorf("there is no variable %q in [variables]", name)
}

func validID(s string) bool {
	for i, r := range s {
		letter := r >= 'a' && r <= 'z'
		if !letter && (i == 0 || r != '-' && (r < '0' || r > '9')) {
			return false
		}
	}
	return s != "" && len(s) <= capsule.MaxNameLength
}

func validVariable(s string) bool {
	for _, r := range s {
		if r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') {
			return false
		}
	}
	return s != ""
}
