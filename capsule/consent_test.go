package capsule

import (
	"slices"
	"testing"
)

// Consent covers what is named: hosts, and files and directories of the home.
func TestConsentResources(t *testing.T) {
	m, err := ParseManifest("Capsule.toml", []byte(`
[package]
name = "x"
version = "0.1.0"
[capabilities]
net = ["api.example.com", "*"]
fs_read = ["cwd://", "home://", "home://notes/", "home://.config/spark.toml", "home://a*", "/tmp"]
fs_write = ["home://.config/spark.toml"]
`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := ConsentResources(m, nil, "/h/ida")
	want := []string{
		"net:https://api.example.com:443/**", "net:http://api.example.com:80/**",
		"fs:read:///h/ida/notes", "fs:read:///h/ida/notes/**", "fs:read:///h/ida/.config/spark.toml", "fs:write:///h/ida/.config/spark.toml",
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%q %v", got, err)
	}
	if got, err := ConsentResources(m, nil, "/h/[x]"); err != nil || len(got) != 2 {
		t.Errorf("a home with wildcards in its name: %q %v", got, err)
	}
}
