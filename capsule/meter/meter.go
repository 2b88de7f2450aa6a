package meter

import (
	"errors"
	"fmt"
)

// Version names the rewriting scheme. It stands in the astrid.meter section of
// each output; a cache of rewritten modules must be keyed by it.
const Version = "3"

// Names the rewritten module and its host agree on.
const (
	YieldModule = "astrid_link"  // import module of the yield function
	YieldName   = "yield"        // its name; type () -> ()
	SectionName = "astrid.meter" // custom section that holds Version
)

// Errors that Rewrite wraps. Each message says what was found and where.
var (
	// ErrMalformed: the bytes are not a module this package can read.
	ErrMalformed = errors.New("malformed wasm module")
	// ErrLimit: the module exceeds one of the Options.
	ErrLimit = errors.New("wasm module exceeds a limit")
	// ErrReserved: the module is metered already, or claims a name that belongs
	// to metering.
	ErrReserved = errors.New("wasm module uses a name reserved for metering")
	// ErrUnsupported: well-formed, but of a kind that cannot be interrupted or
	// that wazero does not run.
	ErrUnsupported = errors.New("unsupported wasm construct")
)

// Options bounds what Rewrite accepts. Zero fields mean the default.
type Options struct {
	MaxModule    int // bytes of the input; default 64 MiB
	MaxOutput    int // bytes of the output; default 256 MiB
	MaxTypes     int // function types; default 100,000
	MaxImports   int // imports; default 10,000
	MaxFunctions int // functions the module defines; default 200,000
	MaxGlobals   int // globals, imported ones included; default 4,096
	MaxExports   int // exports; default 100,000
	MaxTables    int // tables, imported ones included; default 16
	MaxSegments  int // data segments, and as many element segments; default 100,000
	MaxCustom    int // custom sections; default 1,000
	MaxParams    int // parameters, and as many results, of a function type; default 1,000
	MaxBody      int // bytes of one function body; default 2 MiB
	MaxLocals    int // locals a function declares; default 50,000
	MaxAllLocals int // locals all functions declare together; default 4,000,000
	MaxNesting   int // blocks inside each other; default 20,000
	MaxBrTable   int // targets of one br_table; default 65,520

	// MaxEffort bounds the time to compile: wazero's compiler is quadratic in the
	// basic blocks of a function (70 KB of ifs take it two seconds), and nothing
	// interrupts it. It is the sum of their squares, and 60 for each of the
	// reloads below. Go's assembler (8 MB, compiled in 15 s) comes to 6e8, its
	// compiler (49 MB) to more than the default, 2e9.
	MaxEffort int

	// MaxReloads bounds the memory to compile a function: wazero's compiler
	// reloads each mutable global after each call, about 150 bytes each. It is
	// the product of both, and the values passed to calls and labels. Default
	// 1<<20.
	MaxReloads int

	// MaxTableEntries caps each table the module defines: its minimum must not
	// exceed it, and a larger or missing maximum is lowered to it, which makes
	// table.grow fail earlier. Tables lie outside the memory limit of the
	// runtime, eight bytes each entry, and are moved as a whole
	// when they grow. Default 1<<18.
	MaxTableEntries int

	// AllowWait accepts memory.atomic.wait32 and wait64. They block inside the
	// runtime, where no yield can end them, so they are refused by default.
	AllowWait bool

	quantum int   // for tests: fuel between yields instead of Quantum
	piece   int64 // for tests: bytes at once instead of pieceSize
}

func (o Options) withDefaults() Options {
	def := func(field *int, v int) {
		if *field <= 0 {
			*field = v
		}
	}
	def(&o.MaxModule, 64<<20)
	def(&o.MaxOutput, 256<<20)
	def(&o.MaxTypes, 100_000)
	def(&o.MaxImports, 10_000)
	def(&o.MaxFunctions, 200_000)
	def(&o.MaxGlobals, 4_096)
	def(&o.MaxExports, 100_000)
	def(&o.MaxTables, 16)
	def(&o.MaxSegments, 100_000)
	def(&o.MaxCustom, 1_000)
	def(&o.MaxParams, 1_000)
	def(&o.MaxBody, 2<<20)
	def(&o.MaxLocals, 50_000)
	def(&o.MaxAllLocals, 4_000_000)
	def(&o.MaxNesting, 20_000)
	def(&o.MaxBrTable, 65_520)
	def(&o.MaxEffort, 2_000_000_000)
	def(&o.MaxReloads, 1<<20)
	def(&o.MaxTableEntries, 1<<18)
	def(&o.quantum, Quantum)
	if o.piece <= 0 {
		o.piece = pieceSize
	}
	return o
}

// Rewrite returns module with metering added. The same input and options give
// the same bytes. The input is not changed or kept.
func Rewrite(module []byte, o Options) ([]byte, error) {
	o = o.withDefaults()
	if len(module) > o.MaxModule {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrLimit, len(module), o.MaxModule)
	}
	m, err := parse(module, o)
	if err != nil {
		return nil, err
	}
	return m.encode()
}
