package distros_test

import (
	"archive/tar"
	"compress/gzip"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/distros"
)

// registry are the topics of the original contract: what other people's capsules may rely on. Those
// that neither version uses are left out, as are the ones below astrid.v1, which are the kernel's.
var registry = strings.Fields(`
	user.v1.prompt agent.v1.response agent.v1.stream.delta agent.v1.session_changed cli.v1.command.execute
	session.v1.append session.v1.request.get_messages session.v1.response.get_messages.* session.v1.request.clear
	session.v1.response.clear.* session.v1.clear session.v1.request.list session.v1.request.get_meta
	session.v1.request.update session.v1.request.delete session.v1.request.search
	spark.v1.request.build spark.v1.response.ready
	prompt_builder.v1.assemble prompt_builder.v1.response.assemble prompt_builder.v1.hook.before_build
	prompt_builder.v1.hook_response.* prompt_builder.v1.hook.after_build
	context_engine.v1.compact context_engine.v1.response.compact context_engine.v1.estimate_tokens
	context_engine.v1.response.estimate_tokens context_engine.v1.hook.before_compaction
	context_engine.v1.hook.after_compaction context_engine.v1.hook_response.*
	registry.v1.get_providers registry.v1.get_active_model registry.v1.set_active_model
	registry.v1.response.get_providers registry.v1.response.get_active_model registry.v1.response.set_active_model
	registry.v1.response.models registry.v1.active_model_changed registry.v1.selection.callback
	llm.v1.request.describe llm.v1.request.generate.openai-compat llm.v1.stream.openai-compat
	tool.v1.request.describe tool.v1.request.execute tool.v1.execute.read_file tool.v1.execute.read_file.result
	tool.v1.execute.result tool.v1.request.cancel
	users.v1.resolve.request users.v1.resolve.response users.v1.context.set.request users.v1.context.set.response
	astrid.v1.capsules_loaded astrid.v1.watchdog.tick
`)

// Each topic of the contract has a capsule that sends or awaits it.
func TestContractTopics(t *testing.T) {
	all := load(t)
	for _, topic := range registry {
		uses := func(pattern string) bool { return overlaps(pattern, topic) }
		used := slices.ContainsFunc(all, func(e entry) bool {
			for _, ic := range e.Interceptors {
				if uses(ic.Event) {
					return true
				}
			}
			return slices.ContainsFunc(either(e.published, e.asked, e.awaited), uses)
		})
		if !used {
			t.Errorf("nobody sends or awaits %s", topic)
		}
	}
}

// maxWasm is what a capsule may weigh, in bytes: it is compiled at install and loaded at each boot.
const maxWasm = 4_500_000

func TestSizes(t *testing.T) {
	fsys, err := distros.Open(distros.Default)
	if err != nil {
		t.Fatal(err)
	}
	archives, err := fs.Glob(fsys, "dist/*.capsule")
	if err != nil {
		t.Fatal(err)
	}
	if len(archives) == 0 {
		t.Skip("the capsules are not built: run make capsules")
	}
	for _, name := range archives {
		if size := wasmSize(t, fsys, name); size == 0 || size > maxWasm {
			t.Errorf("%s: %d bytes of wasm, at most %d are allowed", name, size, maxWasm)
		}
	}
}

// wasmSize is the size of the modules in an archive.
func wasmSize(t *testing.T, fsys fs.FS, name string) (size int64) {
	t.Helper()
	f, err := fsys.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return size
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if strings.HasSuffix(h.Name, ".wasm") {
			size += h.Size
		}
	}
}
