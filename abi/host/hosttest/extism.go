package hosttest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
)

// extismSDK is the module whose guests the tests run. It is fetched, not required: nothing of it is linked.
const extismSDK = "github.com/extism/go-sdk@v1.7.1"

// ExtismSDK returns the directory of Extism's own Go SDK, which holds guests made by many toolchains and
// the original of what extism:host/env does. Without a way to fetch it the test is skipped, but not
// where CI is set.
func ExtismSDK(t testing.TB) string {
	t.Helper()
	cmd := exec.Command("go", "mod", "download", "-json", extismSDK)
	cmd.Dir = t.TempDir() // outside of this module, so that its go.sum is not asked
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	out, err := cmd.Output()
	var info struct{ Dir, Error string }
	if jerr := json.Unmarshal(out, &info); err != nil || jerr != nil || info.Dir == "" {
		if os.Getenv("CI") != "" {
			t.Fatalf("fetch %s: %v %s", extismSDK, err, info.Error)
		}
		t.Skipf("%s cannot be fetched: %v %s", extismSDK, err, info.Error)
	}
	return info.Dir
}

// ExtismGuest reads one of the guests of [ExtismSDK].
func ExtismGuest(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(ExtismSDK(t), "wasm", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Env is the import of a function of extism:host/env.
func Env(name string, params, results []byte) Import {
	return Import{Module: abi.ModuleExtismEnv, Name: name, Params: params, Results: results}
}

// Extism is the import of a host function in the Extism convention.
func Extism(fn abi.Function, params int, result bool) Import {
	i := Import{Module: abi.ModuleExtismUser, Name: fn.String()}
	for range params {
		i.Params = append(i.Params, I64)
	}
	if result {
		i.Results = []byte{I64}
	}
	return i
}
