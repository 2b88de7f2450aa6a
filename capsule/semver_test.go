package capsule

import (
	"encoding/json"
	"strings"
	"testing"
)

// mustRequirement is ParseRequirement for the requirements of tests.
func mustRequirement(s string) Requirement {
	r, err := ParseRequirement(s)
	if err != nil {
		panic(err)
	}
	return r
}

// The table follows the documented meaning of requirements in Cargo and the tests of the Rust semver crate.
func TestRequirementMatches(t *testing.T) {
	tests := []struct{ req, yes, no string }{
		{"1.0.0", "1.0.0 1.1.0 1.0.1", "0.9.9 0.10.0 0.1.0 1.0.0-pre 1.0.1-pre 2.0.0"},
		{"^1", "1.0.0 1.1.2 1.9.9", "0.9.1 2.0.0 1.0.0-alpha"},
		{"^1.1", "1.1.0 1.1.2 1.2.1", "0.9.1 2.9.0 1.0.1 1.1.1-beta1"},
		{"^1.1.2", "1.1.2 1.1.4 1.2.1", "0.9.1 2.9.0 1.1.1 0.0.1 1.1.2-alpha1 1.1.3-alpha1"},
		{"^0.1.2", "0.1.2 0.1.4", "0.9.1 2.9.0 1.1.1 0.0.1 0.1.2-beta 0.1.3-alpha 0.2.0-pre 0.2.0"},
		{"^0.5.1-alpha3", "0.5.1-alpha3 0.5.1-alpha4 0.5.1-beta 0.5.1 0.5.5", "0.5.1-alpha1 0.5.2-alpha3 0.5.5-pre 0.5.0-pre 0.6.0"},
		{"^0.0.2", "0.0.2", "0.9.1 2.9.0 1.1.1 0.0.1 0.1.4 0.0.3"},
		{"^0.0", "0.0.2 0.0.0", "0.9.1 2.9.0 1.1.1 0.1.4"},
		{"^0", "0.9.1 0.0.2 0.0.0", "2.9.0 1.1.1"},
		{"^1.4.2-beta.5", "1.4.2 1.4.3 1.4.2-beta.5 1.4.2-beta.6 1.4.2-c", "0.9.9 2.0.0 1.4.2-alpha 1.4.2-beta.4 1.4.3-beta.5"},
		{"1.0", "1.0.0 1.2.3", "2.0.0 0.9.0"},
		{"=1.0.0", "1.0.0 1.0.0+build", "1.0.1 0.9.9 0.10.0 1.0.0-pre"},
		{"=0.9.0-alpha2.1", "0.9.0-alpha2.1", "0.9.0-alpha2 0.9.0-alpha2.2 0.9.0"},
		{"=1.2", "1.2.0 1.2.9", "1.3.0 1.1.0"},
		{"=1", "1.0.0 1.9.0", "2.0.0 0.1.0"},
		{">1.2", "1.3.0 2.0.0", "1.2.0 1.2.9 1.1.0"},
		{">1", "2.0.0", "1.0.0 1.9.9"},
		{">1.2.3", "1.2.4 1.3.0", "1.2.3 1.2.4-pre"},
		{">=1.0.0", "1.0.0 2.0.0", "0.1.0 0.0.1 1.0.0-pre 2.0.0-pre"},
		{">=2.1.0-alpha2", "2.1.0-alpha2 2.1.0-alpha3 2.1.0 3.0.0", "2.0.0 2.1.0-alpha1 2.0.0-alpha2 3.0.0-alpha2"},
		{">=1.2", "1.2.0 2.0.0", "1.1.9"},
		{"<1.0.0", "0.1.0 0.0.1", "1.0.0 1.0.0-beta 1.0.1 0.9.9-alpha"},
		{"<1.0", "0.9.9", "1.0.0 1.0.9"},
		{"<=2.1.0-alpha2", "2.1.0-alpha2 2.1.0-alpha1 2.0.0 1.0.0", "2.1.0 2.2.0-alpha1 2.0.0-alpha2 1.0.0-alpha2"},
		{"<=1.2", "1.2.0 1.2.9 1.0.0", "1.3.0"},
		{">1.0.0-alpha, <1.0.0", "1.0.0-beta", "1.0.0 1.0.0-alpha"},
		{">=0.5.1-alpha3, <0.6", "0.5.1-alpha3 0.5.1-alpha4 0.5.1-beta 0.5.1 0.5.5", "0.5.1-alpha1 0.5.2-alpha3 0.5.5-pre 0.5.0-pre 0.6.0 0.6.0-pre"},
		{">=1.2, <1.5", "1.2.0 1.4.9", "1.5.0 1.1.9"},
		{"~1", "1.0.0 1.0.1 1.1.1", "0.9.1 2.9.0 0.0.9"},
		{"~1.2", "1.2.0 1.2.1", "1.1.1 1.3.0 0.0.9"},
		{"~1.2.2", "1.2.2 1.2.4", "1.2.1 1.9.0 1.0.9 2.0.1 0.1.3"},
		{"~1.2.3-beta.2", "1.2.3 1.2.4 1.2.3-beta.2 1.2.3-beta.4", "1.3.3 1.1.4 1.2.3-beta.1 1.2.4-beta.2"},
		{"*", "0.9.1 2.9.0 0.0.9 1.0.1 1.1.1", "1.0.0-pre 0.0.0-alpha"},
		{"1.*", "1.2.0 1.2.1 1.1.1 1.3.0", "0.0.9 2.0.0 1.2.0-pre"},
		{"1.x", "1.0.0 1.9.0", "2.0.0"},
		{"1.2.*", "1.2.0 1.2.2 1.2.4", "1.9.0 1.0.9 2.0.1 0.1.3 1.2.0-pre"},
		{"1.*.*", "1.2.0 1.9.0", "2.0.0"},
		{">=1.*", "1.0.0 2.0.0", "0.9.0"},
		{"=1.2.3+meta", "1.2.3 1.2.3+other", "1.2.4"},
		{"18446744073709551615", "18446744073709551615.0.0", "1.0.0"},
	}
	for _, tt := range tests {
		r, err := ParseRequirement(tt.req)
		if err != nil {
			t.Errorf("%q: %v", tt.req, err)
			continue
		}
		for _, v := range strings.Fields(tt.yes) {
			if !r.Matches(MustVersion(v)) {
				t.Errorf("%q does not match %s", tt.req, v)
			}
		}
		for _, v := range strings.Fields(tt.no) {
			if r.Matches(MustVersion(v)) {
				t.Errorf("%q matches %s", tt.req, v)
			}
		}
		again, err := ParseRequirement(r.String())
		if err != nil || again.String() != r.String() {
			t.Errorf("%q prints as %q, which reads as %q: %v", tt.req, r, again, err)
		}
	}
	if (Requirement{}).Matches(MustVersion("1.0.0")) {
		t.Error("the zero requirement matches")
	}
}

func TestRequirementString(t *testing.T) {
	for text, want := range map[string]string{
		"1.0": "^1.0", "^1": "^1", " >= 1.2 , <2 ": ">=1.2, <2", "*": "*", "x": "*", "1.*": "1.*", "1.2.X": "1.2.*", "1.*.*": "1.*",
		"~0.1": "~0.1", "=1.2.3-a.1": "=1.2.3-a.1", "1.2.3+build": "^1.2.3", ">1.*": ">1",
	} {
		r, err := ParseRequirement(text)
		if err != nil || r.String() != want {
			t.Errorf("%q prints as %q (%v), want %q", text, r, err, want)
		}
	}
}

func TestRequirementRefuses(t *testing.T) {
	for _, text := range []string{
		"", " ", ",", "1,", ",1", "1,,2", "1 2", ">=1.2 <1.5", "v1", "V1.0", "^v1", "1.2.3.4", "01", "1.02", "1.2.03", "1.-1", "a", "1.a",
		">", ">=", "=>1", "==1", "!=1", "^^1", "> =1", "1.0 || 2.0", "1.0||2.0", "1 - 2", "*.1", "1.*.3", "*, 1", "1, *", ">*", "^*", "1.x-pre", "1-pre", "1.2-pre",
		"1.2.3-", "1.2.3-01", "1.2.3-a..b", "1.2.3+", "1.2.3-ä", "1.2.3 -pre", "18446744073709551616", "1.0\n", "\t1", "1.", ".1", "latest",
		strings.Repeat("1,", 32) + "1",
	} {
		if r, err := ParseRequirement(text); err == nil {
			t.Errorf("accepted %q as %q", text, r)
		}
	}
}

func TestVersion(t *testing.T) {
	for _, text := range []string{"0.0.0", "1.2.3-alpha.1+build.5", "1.0.0--", "1.0.0+001"} {
		v, err := ParseVersion(text)
		if err != nil || v.String() != text {
			t.Errorf("%q prints as %q: %v", text, v, err)
		}
	}
	for _, text := range []string{"", "1", "1.0", "v1.0.0", "1.0.0.0", "01.0.0", "1.0.0-", "1.0.0-01", "1.0.0+", " 1.0.0", "1.0.0 ", "1.0.x", "-1.0.0", "1.0.0-a..b", "99999999999999999999.0.0"} {
		if v, err := ParseVersion(text); err == nil {
			t.Errorf("accepted %q as %q", text, v)
		}
	}
	order := strings.Fields("1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0 1.0.1 1.1.0 2.0.0")
	for i := range order {
		for j := range order {
			if got := MustVersion(order[i]).Compare(MustVersion(order[j])); (got < 0) != (i < j) || (got == 0) != (i == j) {
				t.Errorf("%s and %s compare as %d", order[i], order[j], got)
			}
		}
	}
	data, err := json.Marshal(map[string]any{"v": MustVersion("1.2.3"), "r": mustRequirement("1")})
	if err != nil || string(data) != `{"r":"^1","v":"1.2.3"}` {
		t.Errorf("%s %v", data, err)
	}
}

func FuzzRequirement(f *testing.F) {
	f.Add(">=1.2.3-a, <2", "1.2.3-b")
	f.Add("1.*", "1.0.0")
	f.Fuzz(func(t *testing.T, req, version string) {
		r, err := ParseRequirement(req)
		if err != nil {
			return
		}
		again, err := ParseRequirement(r.String())
		if err != nil {
			t.Fatalf("%q prints as %q, which is refused: %v", req, r, err)
		}
		if v, err := ParseVersion(version); err == nil && r.Matches(v) != again.Matches(v) {
			t.Fatalf("%q and %q disagree about %s", req, r, v)
		}
	})
}
