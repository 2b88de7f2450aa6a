package capsule

import (
	"os"
	"testing"
)

func TestManifestComplete(t *testing.T) {
	data, err := os.ReadFile("testdata/manifest/complete.toml")
	if err != nil {
		t.Fatal(err)
	}
	m, err := ParseManifest("Capsule.toml", data)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", m)
}
