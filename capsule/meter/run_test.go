package meter

import (
	"context"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

const allFeatures = api.CoreFeaturesV2 | experimental.CoreFeaturesThreads |
	experimental.CoreFeaturesTailCall | experimental.CoreFeaturesExtendedConst |
	experimental.CoreFeaturesExceptionHandling | experimental.CoreFeaturesTypedFunctionReferences

var compiler = wazero.NewRuntimeConfigCompiler().WithMemoryLimitPages(1024)

// newRuntime makes a runtime with WASI, and with yield if it is not nil.
func newRuntime(t testing.TB, cfg wazero.RuntimeConfig, yield func(context.Context)) wazero.Runtime {
	t.Helper()
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, cfg)
	t.Cleanup(func() { rt.Close(ctx) })
	wasi_snapshot_preview1.MustInstantiate(ctx, rt)
	if yield != nil {
		_, err := rt.NewHostModuleBuilder(YieldModule).NewFunctionBuilder().
			WithGoFunction(api.GoFunc(func(ctx context.Context, _ []uint64) { yield(ctx) }), nil, nil).
			Export(YieldName).Instantiate(ctx)
		if err != nil {
			t.Fatal(err)
		}
	}
	return rt
}

func instantiate(t testing.TB, rt wazero.Runtime, bin []byte) api.Module {
	t.Helper()
	mod, err := rt.InstantiateWithConfig(context.Background(), bin,
		wazero.NewModuleConfig().WithName("").WithStartFunctions("_initialize"))
	if err != nil {
		t.Fatal(err)
	}
	return mod
}

func rewrite(t testing.TB, bin []byte) []byte {
	t.Helper()
	out, err := Rewrite(bin, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func call(t testing.TB, mod api.Module, name string, args ...uint64) []uint64 {
	t.Helper()
	res, err := mod.ExportedFunction(name).Call(context.Background(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return res
}
