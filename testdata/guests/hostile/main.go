// Command hostile makes the guests beside it: each tries one way to hang, starve or read the daemon.
//
//	go run ./testdata/guests/hostile          # writes them
//	go run ./testdata/guests/hostile -check   # fails if one is not what this program makes
//
// A guest attacks for as long as it may when it gets a message. Those that probe do one round of it when they are
// installed, and answer with how often the host gave each code: u32s, little endian, by code.
package main

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/unicity-astrid/astrid-go/abi"
	. "github.com/unicity-astrid/astrid-go/abi/host/hosttest"
)

func main() {
	check := flag.Bool("check", false, "compare instead of writing")
	flag.Parse()
	_, file, _, _ := runtime.Caller(0)
	dir := filepath.Dir(file)
	for _, name := range slices.Sorted(maps.Keys(guests)) {
		path := filepath.Join(dir, name+".wasm")
		bin := guests[name].Bytes()
		if *check {
			if have, err := os.ReadFile(path); err != nil || !bytes.Equal(have, bin) {
				fmt.Fprintf(os.Stderr, "%s is not what its source makes (%v): run make hostile-guests\n", path, err)
				os.Exit(1)
			}
			continue
		}
		if err := os.WriteFile(path, bin, 0o644); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

var guests = map[string]Module{
	"recursion":   recursion(),
	"fill":        straightFill(),
	"init-loop":   {Pages: 1, Funcs: []Func{message(Const64(0)), {Export: "_initialize", Code: Forever()}}},
	"start-loop":  {Pages: 1, Funcs: []Func{message(Const64(0)), {Code: Forever()}}, Start: 1},
	"grow-once":   {Pages: 1, Table: 1, Funcs: []Func{message(growOnce)}},
	"grow":        {Pages: 1, Table: 1, Funcs: []Func{message(Forever(grow))}},
	"functions":   manyFunctions(10_000),
	"pointers":    probe(pointers, "", Native(abi.ReadFile, 1), Native(abi.WriteFile, 2), Native(abi.KvSet, 2), Take, Native(abi.HTTPRequestFn, 1)),
	"handles":     probe(handles, handleTexts, Native(abi.IpcPoll, 1), Native(abi.IpcRecv, 2), Native(abi.IpcUnsubscribe, 1), Native(abi.HTTPStreamRead, 1), Native(abi.NetRead, 1), Native(abi.ReadProcessLogsHost, 1)),
	"subscribe":   probe(Times(1000, 2, Const32(0), Const32(6), Call(0), count), "t.v1.a", Native(abi.IpcSubscribe, 1)),
	"streams":     probe(Times(1000, 2, Const32(0), Const32(len(streamRequest)), Call(0), count), streamRequest, Native(abi.HTTPStreamStart, 1)),
	"logs":        attack("info", Code(Const32(0), Const32(4), Const32(64), Const32(64<<10), Call(0), Drop), Native(abi.Log, 2)),
	"publish":     attack("t.v1.a1", Code(Const32(0), Const32(6), Const32(6), Const32(1), Call(0), Drop), Native(abi.IpcPublish, 2)),
	"publish-big": attack(`t.v1.a"`, bigPublish, Native(abi.IpcPublish, 2)),
	"hooks-a":     attack(`{"hook":"hostile.v1.b","payload":1}`, Code(Const32(0), Const32(35), Call(0), Drop), Native(abi.TriggerHook, 1)),
	"hooks-b":     attack(`{"hook":"hostile.v1.a","payload":1}`, Code(Const32(0), Const32(35), Call(0), Drop), Native(abi.TriggerHook, 1)),
	"recv":        blocked(abi.ExportHookTrigger),
	"recv-loop":   blocked(abi.ExportRun),
	"run-loop":    {Pages: 1, Funcs: []Func{entry(abi.ExportRun, Forever())}},
	"reads":       attack("", Code(Const32(8), Const32('x'), Const32(200), Fill, Const32(8), Const32(200), Call(0), Drop), Native(abi.ReadFile, 1)),
	"values":      {Imports: []Import{Native(abi.KvSet, 2)}, Pages: 200, Data: []byte("k"), Funcs: []Func{message(Forever(Const32(0), Const32(1), Const32(1), Const32(abi.MaxValue), Call(0), Drop))}},
	"writes":      attack("f", Code(Const32(0), Const32(1), Const32(0), Const32(60<<10), Call(0), Drop), Native(abi.WriteFile, 2)),

	"wasi-random": wasi("random_get", 2, nil, Const32(0), Const32(abi.MaxMemoryPages<<16)),
	"wasi-write":  wasi("fd_write", 4, overlapping(4096), Const32(1), Const32(0), Const32(4096), Const32(abi.MaxMemoryPages<<16-4)),
	"wasi-read":   wasi("fd_read", 4, nil, Const32(0), Const32(0), Const32(4096), Const32(0)), // of nothing
	"wasi-poll":   wasi("poll_oneoff", 4, nil, Const32(0), Const32(0), Const32(4096), Const32(0)),

	"extism-grow":    extism([]Import{env("alloc", i64, i64)}, Forever(Const64(1<<10), Call(0), Drop)),
	"extism-churn":   extism([]Import{env("alloc", i64, i64), env("free", i64, nil)}, Forever(Const64(30<<20), Call(0), Call(1))),
	"extism-offsets": extism([]Import{env("store_u64", i64x2, nil), env("free", i64, nil), env("output_set", i64x2, nil), env("load_u64", i64, i64)}, offsets),
	"extism-blocks":  extism([]Import{env("alloc", i64, i64), env("free", i64, nil)}, Forever(Const64(1), Call(0), Drop, Const64(1), Call(0), Call(1))),
}

// streamRequest has five digits for the port, so that a test can put its own there.
const streamRequest = `{"url":"http://127.0.0.1:00009/"}`

var i64, i64x2 = []byte{I64}, []byte{I64, I64}

func env(name string, params, results []byte) Import { return Env(name, params, results) }

// entry is an entry point of code that leaves an i64. Its first local is its parameter; two more are free.
func entry(export string, code ...[]byte) Func {
	return Func{Export: export, Params: []byte{I32}, Results: i64, Locals: 2, Code: Code(code...)}
}

func message(code ...[]byte) Func { return entry(abi.ExportHookTrigger, code...) }

// attack does code for ever.
func attack(data string, code []byte, imports ...Import) Module {
	return Module{Imports: imports, Pages: 2, Data: []byte(data), Funcs: []Func{message(Forever(code))}}
}

// probe does code for ever, and when it is installed once.
func probe(code []byte, data string, imports ...Import) Module {
	m := attack(data, code, imports...)
	m.Funcs = append(m.Funcs, entry(abi.ExportInstall, code, Const64(counts<<32|4*codes)))
	return m
}

// Where probes count codes, and how many there are.
const (
	counts = 2048
	codes  = int(abi.CodeInternal) + 1
)

// count takes the result of a host function and counts its code.
var count = Code(
	Const64(32), []byte{0x88, 0xa7}, Const32(4), []byte{0x6c}, Set(1), // 4 * int32(r >> 32)
	Get(1), Get(1), []byte{0x28, 2}, Uint(counts), Const32(1), Add, []byte{0x36, 2}, Uint(counts))

// recursion calls itself two times, 60 deep: no loop, no deep stack, no end.
func recursion() Module {
	down := Code(Get(0), Const32(1), Sub)
	return Module{Pages: 1, Funcs: []Func{
		message(Const32(60), Call(1)),
		{Params: []byte{I32}, Results: i64, Code: Code(
			Get(0), []byte{0x45, 0x04, I64}, Const64(1), // if x == 0: 1
			[]byte{0x05}, down, Call(1), down, Call(1), []byte{0x7c, 0x0b})}, // else f(x-1) + f(x-1)
	}}
}

// straightFill fills all of the memory an instance may have, again and again, without a loop.
func straightFill() Module {
	one := Code(Const32(0), Get(0), Const32(abi.MaxMemoryPages<<16), Fill)
	return Module{Pages: abi.MaxMemoryPages, Funcs: []Func{message(bytes.Repeat(one, 3000), Const64(0))}}
}

// grow takes a page and an entry of the table more.
var grow = Code(Const32(1), Grow, Drop, NullFunc, Const32(1000), GrowTable, Drop)

// growOnce takes all the memory and table there is at once, and touches each page.
var growOnce = Code(
	Const32(abi.MaxMemoryPages-1), Grow, Drop, NullFunc, Const32(1<<20-1), GrowTable, Drop,
	Times(abi.MaxMemoryPages*16, 1, Get(1), Const32(12), []byte{0x74}, Const32(4096), Sub, Const32(1), []byte{0x36, 2, 0}), // at[(n-1) << 12] = 1
	Forever())

// manyFunctions call the next one two times each.
func manyFunctions(n int) Module {
	m := Module{Pages: 1, Funcs: []Func{message(Get(0), Call(1), Const64(0))}}
	for i := 1; i <= n; i++ {
		code := Code(Get(0), Drop)
		if i < n {
			code = bytes.Repeat(Code(Get(0), Call(i+1)), 2)
		}
		m.Funcs = append(m.Funcs, Func{Params: []byte{I32}, Code: code})
	}
	return m
}

// pointers passes ranges at the end of memory and past it, to each function and parameter.
var pointers = func() []byte {
	var code []byte
	const end = 2 << 16
	for _, r := range [][2]int{{end - 1, 1}, {end, 0}, {end, 1}, {end - 1, 2}, {0, end + 1}, {-1, 1}, {-1, -1}, {0, -1}, {1 << 30, 1}, {-1 << 31, -1 << 31}} {
		ptr, n := Const32(r[0]), Const32(r[1])
		code = Code(code,
			ptr, n, Call(0), count,
			ptr, n, ptr, n, Call(1), count,
			Const32(0), Const32(1), ptr, n, Call(2), count,
			ptr, n, Call(3), Drop,
			ptr, n, Call(4), count)
	}
	return code
}()

const handleTexts = "1 2 3 -1 18446744073709551615 1e3 0x1 \x00 {\"id\":1}"

// handles uses handles that others may have.
var handles = func() []byte {
	var code []byte
	at := 0
	for _, h := range bytes.Split([]byte(handleTexts), []byte(" ")) {
		p := Code(Const32(at), Const32(len(h)))
		at += len(h) + 1
		code = Code(code, p, Call(0), count, p, Const32(0), Const32(1), Call(1), count, p, Call(2), count, p, Call(3), count, p, Call(4), count, p, Call(5), count)
	}
	return code
}()

// bigPublish publishes a JSON string of nearly 64 KiB.
var bigPublish = Code(
	Const32(6), Const32('x'), Const32(60000), Fill,
	Const32(6), Const32('"'), []byte{0x3a, 0, 0}, Const32(60000), Const32('"'), []byte{0x3a, 0, 0},
	Const32(0), Const32(6), Const32(6), Const32(60000-6+1), Call(0), Drop)

// blocked waits for a message that does not come.
func blocked(export string) Module {
	return Module{Imports: []Import{Native(abi.IpcSubscribe, 1), Native(abi.IpcRecv, 2)}, Pages: 1, Data: []byte("t.v1.never160000"), Funcs: []Func{entry(export,
		Const32(0), Const32(10), Call(0), Drop,
		Forever(Const32(10), Const32(1), Const32(11), Const32(5), Call(1), Drop))}}
}

// wasi calls one function of WASI for ever, with all the memory there is.
func wasi(name string, params int, data []byte, args ...[]byte) Module {
	m := attack(string(data), Code(Code(args...), Call(0), Drop), Import{Module: abi.ModuleWASI, Name: name, Params: bytes.Repeat([]byte{I32}, params), Results: []byte{I32}})
	m.Pages = abi.MaxMemoryPages
	return m
}

// overlapping is n times the same buffer of 32 MiB.
func overlapping(n int) []byte {
	return bytes.Repeat(binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, 1<<20), 32<<20), n)
}

// extism is a guest of the Extism convention.
func extism(imports []Import, code ...[]byte) Module {
	return Module{Imports: imports, Pages: 1, Funcs: []Func{{Export: abi.ExportHookTrigger, Results: []byte{I32}, Code: Code(Code(code...), Const32(0))}}}
}

// offsets writes where no block is, frees it, and calls it its output.
var offsets = func() []byte {
	var code []byte
	for _, off := range []int{0, 1, 8, 64, 76, 1 << 20, 1<<32 - 1, 1 << 40, -8, -1, -1 << 63} {
		code = Code(code, Const64(off), Const64(-1), Call(0), Const64(off), Call(1), Const64(off), Const64(-1), Call(2), Const64(off), Call(3), Drop)
	}
	return Forever(code)
}()
