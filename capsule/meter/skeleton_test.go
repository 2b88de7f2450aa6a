package meter

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tetratelabs/wazero"
)

// TestSkeleton: a skeleton is valid, offers and wants what the module does, and is no other module's.
func TestSkeleton(t *testing.T) {
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(allFeatures))
	defer rt.Close(ctx)
	surface := func(name string, bin []byte) (exports, imports []string) {
		m, err := rt.CompileModule(ctx, bin)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		defer m.Close(ctx)
		for _, f := range m.ImportedFunctions() {
			mod, fn, _ := f.Import()
			imports = append(imports, mod+"."+fn)
		}
		exports = slices.Concat(slices.Sorted(maps.Keys(m.ExportedFunctions())), slices.Sorted(maps.Keys(m.ExportedMemories())))
		return exports, imports
	}
	seen := map[string]string{}
	files, _ := filepath.Glob(filepath.Join(specDir(t), "v2", "testdata", "*.0.wasm"))
	for _, path := range files {
		bin := read(t, path)
		name := filepath.Base(path)
		out, err := Rewrite(bin, Options{})
		if err != nil {
			continue
		}
		if _, err := rt.CompileModule(ctx, out); err != nil {
			continue // a script that expects that
		}
		s, err := Skeleton(out)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if other := seen[string(s)]; other != "" && !bytes.Equal(bin, read(t, other)) {
			t.Errorf("%s and %s have the same skeleton", name, other)
		}
		seen[string(s)] = path
		we, wi := surface(name, out)
		ge, gi := surface(name, s)
		if !slices.Equal(we, ge) || !slices.Equal(wi, gi) {
			t.Errorf("%s: exports %q imports %q, want %q %q", name, ge, gi, we, wi)
		}
	}
	if len(seen) < 50 {
		t.Errorf("only %d modules were looked at", len(seen))
	}
	for _, bad := range []string{"", "no module", magic + "\x0a\x05\xff\xff\xff\xff\x7f", magic + "\x0a\x02\x05"} {
		if _, err := Skeleton([]byte(bad)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
