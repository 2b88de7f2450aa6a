package cli

import (
	"encoding/hex"
	"testing"
	"testing/fstest"

	"github.com/zeebo/blake3"

	"github.com/unicity-astrid/astrid-go/capsule/distro"
)

// TestDiffer: builds are compared by their bytes, since their versions may be the same.
func TestDiffer(t *testing.T) {
	entry := func(name, source, content string) distro.LockEntry {
		sum := blake3.Sum256([]byte(content))
		return distro.LockEntry{Name: name, Version: "0.1.0", Source: source, Archive: "blake3:" + hex.EncodeToString(sum[:])}
	}
	files := fstest.MapFS{}
	for _, name := range []string{"same", "other", "own", "unknown"} {
		files["dist/"+name+".capsule"] = &fstest.MapFile{Data: []byte("now")}
	}
	unknown := entry("unknown", "@org/unknown", "")
	unknown.Archive = ""
	lock := &distro.Lock{Capsules: []distro.LockEntry{
		entry("same", "@org/same", "now"), entry("other", "@org/other", "before"), entry("own", "/home/u/own", "before"),
		entry("elsewhere", "@org/elsewhere", "before"), unknown,
	}}
	if n, err := differ(files, lock); n != 1 || err != nil {
		t.Errorf("%d differ: %v", n, err)
	}
}
