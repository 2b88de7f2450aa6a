package capsule

import (
	"fmt"

	"github.com/Masterminds/semver/v3"

	"github.com/unicity-astrid/astrid-go/capsule/stricttoml"
)

// Version is a full semantic version (MAJOR.MINOR.PATCH with optional pre-release and build parts).
type Version struct{ v semver.Version }

// ParseVersion accepts exactly what Semantic Versioning 2.0.0 does: no leading v, no missing parts.
func ParseVersion(s string) (Version, error) {
	v, err := semver.StrictNewVersion(s)
	if err != nil {
		return Version{}, fmt.Errorf("invalid version %q: want MAJOR.MINOR.PATCH, for example 1.0.0", s)
	}
	return Version{*v}, nil
}

// MustVersion is ParseVersion for constants.
func MustVersion(s string) Version {
	v, err := ParseVersion(s)
	if err != nil {
		panic(err)
	}
	return v
}

// String returns the text that the version was parsed from.
func (v Version) String() string { return v.v.String() }

// Compare orders by precedence (SemVer §11); build metadata does not count.
func (v Version) Compare(o Version) int { return v.v.Compare(&o.v) }

// MarshalText and UnmarshalText make a Version a string in JSON and TOML.
func (v Version) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText parses strictly.
func (v *Version) UnmarshalText(b []byte) (err error) {
	*v, err = ParseVersion(string(b))
	return err
}

// UnmarshalTOML reads a version from a string.
func (v *Version) UnmarshalTOML(n stricttoml.Node) error { return textOf(n, v.UnmarshalText) }

func textOf(n stricttoml.Node, parse func([]byte) error) error {
	var text string
	n.Decode(&text)
	if _, ok := n.Text(); !ok {
		return nil // the wrong type is already reported
	}
	return parse([]byte(text))
}
