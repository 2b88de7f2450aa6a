package wasm

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/zeebo/blake3"

	"github.com/unicity-astrid/astrid-go/capsule/meter"
)

// knownDir is the directory below Options.CacheDir with what is known of binaries that were held to the contract.
const knownDir = "known"

// known is a [contract] as it is kept.
type known struct {
	HasRun  bool            `json:"has_run,omitempty"`
	Entries map[string]bool `json:"entries"`
	Extism  bool            `json:"extism,omitempty"`
	Init    []string        `json:"init,omitempty"`
	HsInit  bool            `json:"hs_init,omitempty"`
}

// knownFile is where it is kept of a binary. All that the answer depends on is in the name: the module, how it is rewritten, what
// compiles it, and what it may import.
func (r *Runtime) knownFile(binary []byte) string {
	sum := blake3.Sum256(binary)
	return filepath.Join(r.opts.CacheDir, knownDir, hex.EncodeToString(sum[:])+"-"+meter.Version+"-"+r.offer+".json")
}

// fingerprint is a short name for what guests may import and for what compiles them.
func (r *Runtime) fingerprint() string {
	h := blake3.New()
	fmt.Fprintln(h, r.place)
	for _, module := range modules {
		defs := r.rt.Module(module).ExportedFunctionDefinitions()
		for _, name := range slices.Sorted(maps.Keys(defs)) {
			fmt.Fprintln(h, module, name, signature(defs[name]))
		}
	}
	fmt.Fprintln(h, entryPoints, r.memory)
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// recall returns the contract of a binary that was loaded before.
func (r *Runtime) recall(binary []byte) (contract, bool) {
	if r.opts.CacheDir == "" {
		return contract{}, false
	}
	raw, err := os.ReadFile(r.knownFile(binary))
	if err != nil {
		return contract{}, false
	}
	raw, ok := unseal(raw)
	var k known
	if !ok || json.Unmarshal(raw, &k) != nil {
		return contract{}, false
	}
	return contract{hasRun: k.HasRun, entries: k.Entries, extism: k.Extism, init: k.Init, hsInit: k.HsInit}, true
}

// remember keeps the contract of a binary. Without it, the next start takes longer.
func (r *Runtime) remember(binary []byte, c contract) {
	if r.opts.CacheDir == "" {
		return
	}
	raw, err := json.Marshal(known{HasRun: c.hasRun, Entries: c.entries, Extism: c.extism, Init: c.init, HsInit: c.hsInit})
	if err == nil {
		err = replace(r.knownFile(binary), seal(raw))
	}
	if err != nil {
		slog.Warn("What is known of a module could not be kept", "error", err)
	}
}
