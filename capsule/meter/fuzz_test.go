package meter

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// FuzzRewrite: a module that Rewrite accepts is valid afterwards exactly if it
// was before, and then does the same. Running is bounded by yield, so the
// metered side goes first: where it ends by itself, the plain one must too.
func FuzzRewrite(f *testing.F) {
	for _, h := range hostile {
		if bin := h.mod.bytes(); len(bin) < 4096 {
			f.Add(bin)
		}
	}
	out, _ := filepath.Glob(filepath.Join(specDir(f), "*", "testdata", "*.0.wasm"))
	for _, path := range out {
		if bin, err := os.ReadFile(path); err == nil && len(bin) < 4096 {
			f.Add(bin)
		}
	}
	f.Fuzz(func(t *testing.T, bin []byte) {
		o := Options{quantum: 500, piece: 64, MaxModule: 1 << 14, MaxTableEntries: 1 << 12, MaxEffort: 1e6}
		out, err := Rewrite(bin, o)
		if err != nil {
			return
		}
		if again, _ := Rewrite(bin, o); string(again) != string(out) {
			t.Fatal("not deterministic")
		}
		if _, err := Rewrite(out, o); err == nil {
			t.Fatal("accepts its own output")
		}
		if skeleton, err := Skeleton(out); err != nil {
			t.Fatalf("no skeleton: %v", err)
		} else if compiles(out) && !compiles(skeleton) {
			t.Fatal("the skeleton of a valid module is not valid")
		}
		metered, ended := trace(t, out)
		if !ended {
			return
		}
		// wazero takes an empty custom section at the very end for an error.
		bin = appendCustom(slices.Clone(bin), "end", []byte{0})
		if plain, _ := trace(t, bin); plain != metered {
			t.Errorf("plain:\n%s\nmetered:\n%s", plain, metered)
		}
	})
}

// compiles tells whether wazero takes a module.
func compiles(bin []byte) bool {
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(allFeatures).WithMemoryLimitPages(16))
	defer rt.Close(ctx)
	_, err := rt.CompileModule(ctx, bin)
	return err == nil
}

// trace compiles and instantiates a module and calls its exports with zeros. It
// describes all that can be seen from outside, and reports false if yield had to
// end it.
func trace(t *testing.T, bin []byte) (seen string, ended bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	yields := 0
	cfg := wazero.NewRuntimeConfigCompiler().WithCoreFeatures(allFeatures).WithMemoryLimitPages(16).
		WithCloseOnContextDone(true) // for the plain side, should it hang where the metered ended
	rt := newRuntime(t, cfg, func(context.Context) {
		if yields++; yields > 100 {
			panic(errDeadline)
		}
	})
	defer rt.Close(context.Background())
	compiled, err := rt.CompileModule(ctx, bin)
	if err != nil {
		return "invalid", true
	}
	mod, err := rt.InstantiateModule(ctx, compiled, wazero.NewModuleConfig().WithName("").WithStartFunctions())
	if err != nil {
		// It names the start function by its index, before which there is the import of yield.
		return "instantiation: " + functionIndex.ReplaceAllString(firstLine(err), "function"), !errors.Is(err, errDeadline)
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(compiled.ExportedFunctions())) {
		fn := mod.ExportedFunction(name)
		res, err := fn.Call(ctx, make([]uint64, 2*len(fn.Definition().ParamTypes()))...)
		if errors.Is(err, errDeadline) {
			return "", false
		}
		fmt.Fprintln(&b, name, describe(fn.Definition().ResultTypes(), res), firstLine(err))
	}
	for _, name := range slices.Sorted(maps.Keys(compiled.ExportedMemories())) {
		mem := mod.ExportedMemory(name)
		p, _ := mem.Read(0, mem.Size())
		fmt.Fprintln(&b, name, len(p), fnv64(p))
	}
	return b.String(), true
}

var functionIndex = regexp.MustCompile(`function\[\d+\]`)

func firstLine(err error) string {
	if err == nil {
		return ""
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// describe prints results; references are addresses, so only whether they are null.
func describe(types []api.ValueType, res []uint64) string {
	var b strings.Builder
	for _, t := range types {
		if len(res) == 0 {
			break
		}
		switch t {
		case api.ValueTypeI32, api.ValueTypeF32:
			fmt.Fprint(&b, uint32(res[0]), " ")
		case api.ValueTypeI64, api.ValueTypeF64:
			fmt.Fprint(&b, res[0], " ")
		case typeV128:
			fmt.Fprint(&b, res[0], res[1], " ")
			res = res[1:]
		default:
			fmt.Fprint(&b, res[0] == 0, " ")
		}
		res = res[1:]
	}
	return b.String()
}

func fnv64(p []byte) uint64 {
	h := fnv.New64a()
	h.Write(p)
	return h.Sum64()
}
