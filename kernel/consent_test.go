package kernel

import (
	"testing"

	"github.com/unicity-astrid/astrid-go/capability"
	"github.com/unicity-astrid/astrid-go/capsule"
)

// TestConsentCovers: what is agreed to at install covers what the host functions ask for, and no more.
func TestConsentCovers(t *testing.T) {
	m, err := capsule.ParseManifest("Capsule.toml", []byte("[package]\nname = \"x\"\nversion = \"0.1.0\"\n[capabilities]\nnet_bind = [\"box\"]\nidentity = [\"link\"]\n"))
	if err != nil {
		t.Fatal(err)
	}
	agreed, err := capsule.ConsentResources(m, nil)
	if err != nil {
		t.Fatal(err)
	}
	for resource, want := range map[string]bool{
		"net:bind:x/box": true, "net:bind:x/other": false, "net:bind:y/box": false,
		"identity:resolve:chat/7": true, "identity:list:6f1c1c5e-0000-4000-8000-000000000007": true,
		"identity:link:chat/7/6f1c1c5e-0000-4000-8000-000000000007": false, "identity:unlink:chat/7": false, "identity:create:Ida": false,
	} {
		r, err := capability.ParseResource(resource)
		if err != nil {
			t.Errorf("%s: %v", resource, err)
			continue
		}
		got := false
		for _, a := range agreed {
			p, err := capability.ParsePattern(a)
			if err != nil {
				t.Fatalf("%s: %v", a, err)
			}
			got = got || p.Matches(r)
		}
		if got != want {
			t.Errorf("%s is covered: %v, want %v by %q", resource, got, want, agreed)
		}
	}
}
