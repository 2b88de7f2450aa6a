package capsule

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/unicity-astrid/astrid-go/capsule/stricttoml"
)

// Requirement is a version requirement with the meaning that Cargo gives it: comma-separated comparators
// that must all hold. It is not the grammar of Masterminds/semver, where a space also separates, "||"
// exists and a caret on 0.x is wider. The zero value matches nothing; "*" matches every release.
type Requirement struct {
	comparators []comparator
	any         bool
}

// comparator is one operator with a possibly partial version.
type comparator struct {
	op           string // = > >= < <= ~ ^ *
	major        uint64
	minor, patch uint64
	parts        int // how many of major, minor, patch were written
	pre          string
}

// maxComparators is the limit of the Rust semver crate.
const maxComparators = 32

var errRequirement = errors.New("invalid version requirement")

// ParseRequirement reads a requirement such as "^1.0", ">=1.2, <2" or "*".
func ParseRequirement(s string) (Requirement, error) {
	fail := func(why string) (Requirement, error) {
		return Requirement{}, fmt.Errorf("%w %q: %s", errRequirement, s, why)
	}
	text := strings.Trim(s, " ")
	if text == "" {
		return fail("it is empty; write \"*\" for any version")
	}
	if text == "*" || text == "x" || text == "X" {
		return Requirement{any: true}, nil
	}
	parts := strings.Split(text, ",")
	if strings.Trim(parts[len(parts)-1], " ") == "" && len(parts) > 1 {
		return fail("nothing follows the last comma")
	}
	if len(parts) > maxComparators {
		return fail(fmt.Sprintf("more than %d comparators", maxComparators))
	}
	var r Requirement
	for _, part := range parts {
		c, err := parseComparator(strings.Trim(part, " "))
		if err != nil {
			return fail(err.Error())
		}
		r.comparators = append(r.comparators, c)
	}
	return r, nil
}

func parseComparator(s string) (comparator, error) {
	c := comparator{op: "^"}
	explicit := false
	for _, op := range []string{">=", "<=", "=", ">", "<", "~", "^"} {
		if strings.HasPrefix(s, op) {
			c.op, s, explicit = op, strings.TrimLeft(s[len(op):], " "), true
			break
		}
	}
	switch {
	case s == "":
		return c, errors.New("a version is missing")
	case strings.ContainsAny(s, " \t\r\n"):
		return c, errors.New("separate comparators with a comma")
	case s[0] == 'v' || s[0] == 'V':
		return c, errors.New("write the version without a leading v")
	case isWildcard(s):
		return c, errors.New("\"*\" must stand alone")
	}
	core, suffix := s, ""
	if i := strings.IndexAny(s, "-+"); i >= 0 {
		core, suffix = s[:i], s[i:]
	}
	fields := strings.Split(core, ".")
	if len(fields) > 3 {
		return c, fmt.Errorf("%q has more than three numbers", core)
	}
	wildcard := false
	for i, f := range fields {
		if i > 0 && isWildcard(f) {
			wildcard = true
			continue
		}
		if wildcard {
			return c, errors.New("a number follows a wildcard")
		}
		n, err := parseNumber(f)
		if err != nil {
			return c, err
		}
		*[]*uint64{&c.major, &c.minor, &c.patch}[i] = n
		c.parts = i + 1
	}
	if wildcard {
		if suffix != "" {
			return c, errors.New("a wildcard cannot have a pre-release or build part")
		}
		if !explicit {
			c.op = "*"
		}
	}
	if suffix != "" {
		if c.parts < 3 {
			return c, errors.New("a pre-release or build part needs all three numbers")
		}
		v, err := semver.StrictNewVersion(core + suffix)
		if err != nil {
			return c, fmt.Errorf("bad pre-release or build part %q", suffix)
		}
		c.pre = v.Prerelease()
	}
	return c, nil
}

func isWildcard(s string) bool { return s == "*" || s == "x" || s == "X" }

func parseNumber(s string) (uint64, error) {
	if len(s) > 1 && s[0] == '0' {
		return 0, fmt.Errorf("%q has a leading zero", s)
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, fmt.Errorf("%q is not a number", s)
		}
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a number", s)
	}
	return n, nil
}

// String is the canonical text, with every operator written out: "1.0" prints as "^1.0".
func (r Requirement) String() string {
	if r.any {
		return "*"
	}
	parts := make([]string, len(r.comparators))
	for i, c := range r.comparators {
		parts[i] = c.String()
	}
	return strings.Join(parts, ", ")
}

func (c comparator) String() string {
	var b strings.Builder
	if c.op != "*" {
		b.WriteString(c.op)
	}
	for i, n := range []uint64{c.major, c.minor, c.patch}[:c.parts] {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(strconv.FormatUint(n, 10))
	}
	if c.op == "*" {
		b.WriteString(".*")
	}
	if c.pre != "" {
		b.WriteString("-" + c.pre)
	}
	return b.String()
}

// MarshalText and UnmarshalText make a Requirement a string in JSON and TOML.
func (r Requirement) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText parses a requirement.
func (r *Requirement) UnmarshalText(b []byte) (err error) {
	*r, err = ParseRequirement(string(b))
	return err
}

// Matches reports whether v satisfies every comparator. A pre-release version matches only when some
// comparator names the same MAJOR.MINOR.PATCH with a pre-release of its own.
func (r Requirement) Matches(v Version) bool {
	if r.any {
		return v.v.Prerelease() == ""
	}
	if len(r.comparators) == 0 {
		return false
	}
	opted := v.v.Prerelease() == ""
	for _, c := range r.comparators {
		if !c.matches(v) {
			return false
		}
		opted = opted || c.pre != "" && c.major == v.v.Major() && c.minor == v.v.Minor() && c.patch == v.v.Patch()
	}
	return opted
}

func (c comparator) matches(v Version) bool {
	switch c.op {
	case "=", "*":
		return c.exact(v)
	case ">":
		return c.greater(v)
	case ">=":
		return c.exact(v) || c.greater(v)
	case "<":
		return !c.exact(v) && !c.greater(v)
	case "<=":
		return !c.greater(v)
	case "~":
		return c.tilde(v)
	default:
		return c.caret(v)
	}
}

// exact compares the parts that were written.
func (c comparator) exact(v Version) bool {
	return v.v.Major() == c.major && (c.parts < 2 || v.v.Minor() == c.minor) && (c.parts < 3 || v.v.Patch() == c.patch && v.v.Prerelease() == c.pre)
}

// greater is false when the difference lies in a part that was not written.
func (c comparator) greater(v Version) bool {
	for i, pair := range [][2]uint64{{v.v.Major(), c.major}, {v.v.Minor(), c.minor}, {v.v.Patch(), c.patch}} {
		if i >= c.parts {
			return false
		}
		if pair[0] != pair[1] {
			return pair[0] > pair[1]
		}
	}
	return comparePre(v.v.Prerelease(), c.pre) > 0
}

func (c comparator) tilde(v Version) bool {
	if v.v.Major() != c.major || c.parts >= 2 && v.v.Minor() != c.minor {
		return false
	}
	if c.parts >= 3 && v.v.Patch() != c.patch {
		return v.v.Patch() > c.patch
	}
	return c.parts < 3 || comparePre(v.v.Prerelease(), c.pre) >= 0
}

func (c comparator) caret(v Version) bool {
	if v.v.Major() != c.major {
		return false
	}
	if c.parts < 2 {
		return true
	}
	if c.parts < 3 {
		if c.major > 0 {
			return v.v.Minor() >= c.minor
		}
		return v.v.Minor() == c.minor
	}
	switch {
	case c.major > 0:
		if v.v.Minor() != c.minor {
			return v.v.Minor() > c.minor
		}
		if v.v.Patch() != c.patch {
			return v.v.Patch() > c.patch
		}
	case c.minor > 0:
		if v.v.Minor() != c.minor {
			return false
		}
		if v.v.Patch() != c.patch {
			return v.v.Patch() > c.patch
		}
	case v.v.Minor() != c.minor || v.v.Patch() != c.patch:
		return false
	}
	return comparePre(v.v.Prerelease(), c.pre) >= 0
}

// comparePre orders two pre-release parts of the same version; the empty one, a release, is the greatest.
func comparePre(a, b string) int {
	x := semver.New(0, 0, 0, a, "")
	return x.Compare(semver.New(0, 0, 0, b, ""))
}

// UnmarshalTOML reads a requirement from a string.
func (r *Requirement) UnmarshalTOML(n stricttoml.Node) error { return textOf(n, r.UnmarshalText) }
