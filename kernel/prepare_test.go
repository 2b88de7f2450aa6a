package kernel

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/unicity-astrid/astrid-go/capsule"
)

// A capsule that is known is loaded without its code. When that cannot be made ready, the capsule is refused by its name.
func TestPrepareRefuses(t *testing.T) {
	o := options(t)
	putDemo(t, o.Home, "1.0.0", "hello")
	ctx := context.Background()
	first, err := Boot(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Shutdown("test"); err != nil {
		t.Fatal(err)
	}
	k := boot(t, func(p *Options) { *p = o })
	c := k.registry.Get("demo")
	if c == nil {
		t.Fatalf("not loaded: %+v", k.capsuleStatus())
	}
	k.prepare(ctx) // which the boot has begun, too
	// The same capsule is loaded again, known now, and its binary changes before it is needed.
	m := c.Manifest()
	again, err := k.loadOne(ctx, m)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{filepath.Join(m.Dir, "g.wasm"), binaryOf(t, k, m)} {
		if err := os.WriteFile(f, []byte("something else"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := k.enter(ctx, again, k.fingerprint(m)); err != nil {
		t.Fatal(err)
	}
	k.prepare(ctx)
	status := k.capsuleStatus()
	if len(status) != 1 || status[0].Name != "demo" || status[0].State != "refused" || status[0].Reason == "" || k.registry.Get("demo") != nil {
		t.Errorf("%+v", status)
	}
}

// binaryOf is where the store keeps a capsule's binary.
func binaryOf(t *testing.T, k *Kernel, m *capsule.Manifest) string {
	t.Helper()
	meta, err := capsule.LoadMeta(m.Dir)
	if err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(k.opts.Home.BinDir(), meta.WasmHash+"*"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%q %v", found, err)
	}
	return found[0]
}
