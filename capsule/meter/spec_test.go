package meter

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// The WebAssembly spec tests come with wazero's module, as wast2json output.
// Each script runs on two runtimes side by side, one with the modules as they
// are and one with rewritten ones whose quantum is so small that nearly each
// check yields. Both must do the same at each command, and what the script says.

var specSuites = []struct {
	dir      string
	features api.CoreFeatures
}{
	{"v1", api.CoreFeaturesV1},
	{"v2", api.CoreFeaturesV2},
	{"threads", api.CoreFeaturesV2 | experimental.CoreFeaturesThreads},
	{"tail-call", api.CoreFeaturesV2 | experimental.CoreFeaturesTailCall},
	{"extended-const", api.CoreFeaturesV2 | experimental.CoreFeaturesExtendedConst},
	{"exception-handling", api.CoreFeaturesV2 | experimental.CoreFeaturesExceptionHandling |
		experimental.CoreFeaturesTailCall | experimental.CoreFeaturesTypedFunctionReferences},
	{"typed-function-references", api.CoreFeaturesV2 | experimental.CoreFeaturesTailCall |
		experimental.CoreFeaturesTypedFunctionReferences},
}

type specCommand struct {
	Type       string
	Line       int
	Name       string
	Filename   string
	As         string
	Text       string
	ModuleType string `json:"module_type"`
	Action     struct {
		Type, Module, Field string
		Args                []specValue
	}
	Expected []specValue
}

type specValue struct {
	Type     string
	LaneType string `json:"lane_type"`
	Value    any
}

func specDir(t testing.TB) string {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "internal", "integration_test", "spectest")
}

func TestSpec(t *testing.T) {
	root := specDir(t)
	host, err := os.ReadFile(filepath.Join(root, "testdata", "spectest.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	yields, modules, commands := 0, 0, 0
	for _, suite := range specSuites {
		scripts, _ := filepath.Glob(filepath.Join(root, suite.dir, "testdata", "*.json"))
		if len(scripts) == 0 {
			t.Fatalf("no scripts in %s", suite.dir)
		}
		for _, script := range scripts {
			name := suite.dir + "/" + strings.TrimSuffix(filepath.Base(script), ".json")
			t.Run(name, func(t *testing.T) {
				s := newSpecRun(t, suite.features, host, func(context.Context) { yields++ })
				s.dir = filepath.Dir(script)
				s.script(script)
				modules, commands = modules+s.modules, commands+s.commands
			})
		}
	}
	t.Logf("%d modules instantiated, %d commands, %d yields", modules, commands, yields)
	if !testing.Short() && yields < 100_000 {
		t.Errorf("only %d yields: the metered side did not meter", yields)
	}
}

// specSide is one of the two runtimes.
type specSide struct {
	rt    wazero.Runtime
	meter bool
	last  api.Module
	named map[string]api.Module
}

type specRun struct {
	t                 *testing.T
	dir               string
	sides             [2]*specSide
	modules, commands int
}

func newSpecRun(t *testing.T, f api.CoreFeatures, host []byte, yield func(context.Context)) *specRun {
	s := &specRun{t: t}
	for i := range s.sides {
		rt := newRuntime(t, wazero.NewRuntimeConfigCompiler().WithCoreFeatures(f), yield)
		if _, err := rt.Instantiate(context.Background(), host); err != nil {
			t.Fatal(err)
		}
		s.sides[i] = &specSide{rt: rt, meter: i == 1, named: map[string]api.Module{}}
	}
	return s
}

// load instantiates a module on one side; an error of Rewrite counts as one of
// the runtime.
func (s *specSide) load(bin []byte, name string) (api.Module, error) {
	if s.meter {
		var err error
		if bin, err = Rewrite(bin, Options{quantum: 7, AllowWait: true, MaxTableEntries: math.MaxInt32}); err != nil {
			return nil, err
		}
	}
	return s.rt.InstantiateWithConfig(context.Background(), bin, wazero.NewModuleConfig().WithName(name))
}

func (s *specRun) script(path string) {
	raw, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	var script struct{ Commands []specCommand }
	if err := json.Unmarshal(raw, &script); err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(script.Commands); i++ {
		c := &script.Commands[i]
		as := ""
		if c.Type == "module" && i+1 < len(script.Commands) && script.Commands[i+1].Type == "register" {
			i++
			as = script.Commands[i].As
		}
		s.commands++
		s.command(c, as)
	}
}

func (s *specRun) command(c *specCommand, as string) {
	fail := func(format string, args ...any) {
		s.t.Helper()
		s.t.Errorf("line %d %s %s: %s", c.Line, c.Type, c.Action.Field, fmt.Sprintf(format, args...))
	}
	switch c.Type {
	case "module", "assert_malformed", "assert_invalid", "assert_unlinkable", "assert_uninstantiable":
		if c.ModuleType == "text" {
			return
		}
		bin, err := os.ReadFile(filepath.Join(s.dir, c.Filename))
		if err != nil {
			s.t.Fatal(err)
		}
		var errs [2]error
		for i, side := range s.sides {
			var mod api.Module
			mod, errs[i] = side.load(bin, as)
			if c.Type == "module" && errs[i] == nil {
				s.modules++
				side.last = mod
				if c.Name != "" {
					side.named[c.Name] = mod
				}
			}
		}
		if (errs[0] == nil) != (errs[1] == nil) {
			fail("plain: %v; metered: %v", errs[0], errs[1])
		}
		if c.Type == "module" && errs[0] != nil {
			fail("%v", errs[0])
		}
	case "assert_return", "action", "assert_trap", "assert_exhaustion", "assert_exception":
		var got [2]string
		for i, side := range s.sides {
			got[i] = side.act(c)
		}
		if got[0] != got[1] {
			fail("plain: %s; metered: %s", got[0], got[1])
		}
		if trapped := strings.HasPrefix(got[1], "error: "); trapped != (c.Type != "assert_return" && c.Type != "action") {
			fail("%s", got[1])
		}
	default:
		s.t.Fatalf("unknown command %s", c.Type)
	}
}

// act performs an action and describes its outcome: the error's first line, or
// the results, where expected values that have one bit pattern are checked too.
func (s *specSide) act(c *specCommand) string {
	mod := s.last
	if c.Action.Module != "" {
		mod = s.named[c.Action.Module]
	}
	if c.Action.Type == "get" {
		return fmt.Sprint(mod.ExportedGlobal(c.Action.Field).Get())
	}
	var args []uint64
	for _, a := range c.Action.Args {
		args = append(args, a.bits()...)
	}
	fn := mod.ExportedFunction(c.Action.Field)
	res, err := fn.Call(context.Background(), args...)
	if err != nil {
		line, _, _ := strings.Cut(err.Error(), "\n")
		return "error: " + line
	}
	var out []string
	i := 0
	for k, t := range fn.Definition().ResultTypes() {
		n := 1
		if t == api.ValueType(typeV128) {
			n = 2
		}
		v := res[i : i+n]
		i += n
		if t == api.ValueTypeI32 || t == api.ValueTypeF32 {
			v[0] &= math.MaxUint32 // the upper half is not defined
		}
		if t != api.ValueTypeI32 && t != api.ValueTypeI64 && t != api.ValueTypeF32 && t != api.ValueTypeF64 && n == 1 {
			out = append(out, fmt.Sprint("null ", v[0] == 0)) // references are addresses
			continue
		}
		out = append(out, fmt.Sprint(v))
		if k < len(c.Expected) {
			if want := c.Expected[k].bits(); want != nil && fmt.Sprint(want) != fmt.Sprint(v) {
				out = append(out, fmt.Sprintf("want %v", want))
				return "error: " + strings.Join(out, " ")
			}
		}
	}
	return strings.Join(out, " ")
}

// bits is the value as wazero passes it, nil if it is not one pattern (a NaN
// class, or any reference).
func (v specValue) bits() []uint64 {
	lanes, vec := v.Value.([]any)
	if !vec {
		str, ok := v.Value.(string)
		if !ok || strings.Contains(str, "nan:") {
			return nil
		}
		if str == "null" {
			return []uint64{0}
		}
		width := 64
		if strings.HasSuffix(v.Type, "32") {
			width = 32
		}
		n := parseBits(str, width)
		if v.Type == "externref" {
			n++ // zero is null
		}
		return []uint64{n}
	}
	width, _ := strconv.Atoi(v.LaneType[1:])
	var out [2]uint64
	for i, l := range lanes {
		if strings.Contains(l.(string), "nan:") {
			return nil
		}
		at := i * width
		out[at/64] |= parseBits(l.(string), width) << (at % 64)
	}
	return out[:]
}

func parseBits(s string, width int) uint64 {
	if strings.HasPrefix(s, "-") {
		n, _ := strconv.ParseInt(s, 10, 64)
		return uint64(n) & (1<<width - 1)
	}
	n, _ := strconv.ParseUint(s, 10, 64)
	return n
}
