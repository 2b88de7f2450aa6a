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
net_bind = ["unix:box.sock", "*", "/run/other.sock"]
identity = ["link"]
`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := ConsentResources(m, nil)
	want := []string{
		"net:https://api.example.com:443/**", "net:http://api.example.com:80/**",
		"fs:read:home://notes", "fs:read:home://notes/**", "fs:read:home://.config/spark.toml", "fs:write:home://.config/spark.toml",
		"net:bind:x/box", "net:bind:x/other", "identity:resolve:**", "identity:list:**",
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%q %v", got, err)
	}
	for resource, want := range map[string]string{
		"fs:read:home://notes/**":            "fs:read:///h/ida/notes/**",
		"net:https://api.example.com:443/**": "net:https://api.example.com:443/**",
	} {
		if got, ok := ConsentPattern(resource, "/h/ida"); got != want || !ok {
			t.Errorf("%s: %s %v", resource, got, ok)
		}
	}
	if _, ok := ConsentPattern("fs:read:home://x", "/h/[x]"); ok {
		t.Error("a home with wildcards in its name would cover others")
	}
}
